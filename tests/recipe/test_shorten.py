"""Recipes as a search uses them: made shorter, filled with values, given a space that they lack."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import MINIMAL
from zoo.errors import RecipeError
from zoo.recipe import Recipe, Template, dump, load, shipped, shortened
from zoo.recipe.space import takes_whole_numbers

FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RATE = "train.optimizer.SGD.learning_rate"
STEPS = "train.schedule={step: {at_epochs: [2, 5, 9.5], factor: 0.1}}"
UNFREEZE = "train.learning_rate_factors=[{pattern: kernel, factor: 0.5, until_epoch: 4}]"
PATIENCE = "train.early_stopping={patience: 2}"


def made(file: Path, epochs: int, *overrides: str) -> Recipe:
    return load(str(file), [f"train.epochs={epochs}", *overrides])


def written(folder: Path, text: str) -> str:
    file = folder / "written.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


# Shortened.


@pytest.mark.parametrize("word", ["cosine", "one_cycle"])
def test_warmup_keeps_its_share(minimal: Path, word: str) -> None:
    recipe = made(minimal, 10, f"train.schedule={{{word}: {{warmup_epochs: 4}}}}")
    short = shortened(recipe, 5).train
    assert (short.epochs, short.schedule.word) == (5, word)
    assert short.schedule.options.warmup_epochs == pytest.approx(2)


def test_steps_keep_their_shares(minimal: Path) -> None:
    short = shortened(made(minimal, 10, STEPS), 5).train.schedule.options
    assert short.at_epochs == pytest.approx((1, 2.5, 4.75))
    assert short.factor == 0.1


def test_a_variable_is_held_for_its_share(minimal: Path) -> None:
    more = UNFREEZE[:-1] + ", {pattern: bias, factor: 2}]"
    one, other = shortened(made(minimal, 10, more), 5).train.learning_rate_factors
    assert (one.pattern, one.factor, one.until_epoch) == ("kernel", 0.5, pytest.approx(2))
    assert (other.factor, other.until_epoch) == (2, None)


@FEW
@given(
    factor=st.floats(0.5, 1.0, exclude_max=True), epochs=st.integers(1, 50), new=st.integers(1, 50)
)
def test_exponential_ends_at_the_same_rate(
    minimal: Path, factor: float, epochs: int, new: int
) -> None:
    recipe = made(minimal, epochs, f"train.schedule={{exponential: {{factor: {factor!r}}}}}")
    short = shortened(recipe, new).train.schedule.options
    assert short.factor**new == pytest.approx(factor**epochs, rel=1e-9)


def test_early_stopping_goes(minimal: Path) -> None:
    assert shortened(made(minimal, 10, PATIENCE), 5).train.early_stopping is None


@pytest.mark.parametrize(
    "overrides",
    [
        ["train.schedule={one_cycle: {warmup_epochs: 3}}", UNFREEZE],
        [STEPS],
        ["train.schedule={exponential: {factor: 0.9}}"],
    ],
)
def test_the_same_epochs_change_nothing_but_early_stopping(
    minimal: Path, overrides: list[str]
) -> None:
    assert shortened(made(minimal, 10, PATIENCE, *overrides), 10) == made(minimal, 10, *overrides)


def test_nothing_else_changes(minimal: Path) -> None:
    recipe = made(minimal, 10, STEPS, UNFREEZE)
    old, new = recipe.model_dump(), shortened(recipe, 4).model_dump()
    for key in ("epochs", "schedule", "learning_rate_factors"):
        assert old["train"].pop(key) != new["train"].pop(key)
    assert old == new


def test_warmup_is_never_longer_than_the_training(minimal: Path) -> None:
    """7 * (29 / 7) is above 29."""
    recipe = made(minimal, 7, "train.schedule={cosine: {warmup_epochs: 7}}")
    assert shortened(recipe, 29).train.schedule.options.warmup_epochs == 29


@FEW
@given(st.data(), st.integers(1, 300), st.integers(1, 300))
def test_what_is_shortened_is_a_recipe(
    minimal: Path, data: st.DataObject, epochs: int, new: int
) -> None:
    """A kept trial's recipe is written and read again: no rounding may make it invalid."""
    warmup = data.draw(st.integers(0, epochs))
    at = sorted(data.draw(st.sets(st.integers(1, epochs), min_size=1, max_size=4)))
    change = data.draw(
        st.sampled_from(
            [
                f"train.schedule={{cosine: {{warmup_epochs: {warmup}}}}}",
                f"train.schedule={{step: {{at_epochs: {at}, factor: 0.1}}}}",
                "train.schedule={exponential: {factor: 0.95}}",
            ]
        )
    )
    short = shortened(made(minimal, epochs, change), new)
    assert load(written(minimal.parent, dump(short))) == short


# A template.


@pytest.mark.parametrize(
    "values",
    [
        {RATE: 0.3, "train.optimizer.SGD.momentum": 0.8},
        {"train.optimizer": {"Adam": {"learning_rate": 0.2}}},
        {"train.optimizer.SGD": 0.2, "model.stack[0].conv.filters": 6},
        {"model.defaults.activation": "gelu", "train.ema": 0.9},
        {"train.optimizer.Adam.learning_rate": 0.2, "train.optimizer": "Adam"},
        {"data.augment": [{"random_crop": {"padding": 1}}]},
    ],
)
def test_filled_is_loaded_with_the_same_values(minimal: Path, values: dict[str, Any]) -> None:
    template = Template(str(minimal), ["train.optimizer=SGD"])
    before = copy.deepcopy(template.data)
    outer_first = sorted(values, key=lambda path: path.count("."))
    overrides = [
        f"{path}={yaml.safe_dump(values[path], default_flow_style=True)}" for path in outer_first
    ]
    overrides = [change.removesuffix("\n").removesuffix("\n...") for change in overrides]
    expected = load(str(minimal), ["train.optimizer=SGD", *overrides])
    assert template.filled(values) == expected
    assert load(written(minimal.parent, template.dump(values))) == expected
    assert template.data == before
    assert template.filled({}) == template.recipe


def test_dumped_is_as_it_was_given(minimal: Path) -> None:
    """No default is written out: what a search leaves is the user's recipe."""
    template = Template(str(minimal), ["train.batch_size=64"])
    expected = yaml.safe_load(MINIMAL)
    expected["train"]["batch_size"] = 64
    expected["data"]["source"] = template.data["data"]["source"]
    assert yaml.safe_load(template.dump()) == expected
    assert load(written(minimal.parent, template.dump())) == template.recipe


def test_a_folder_becomes_absolute(minimal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(minimal.parent)
    template = Template(str(minimal), ["data.source={folder: pets}", "data.image_size=8"])
    moved = minimal.parent / "elsewhere"
    moved.mkdir()
    monkeypatch.chdir(moved)
    assert load(written(moved, template.dump())) == template.recipe
    assert template.recipe.data.source.options.path == str(minimal.parent / "pets")


def test_values_without_a_place_are_a_problem_of_the_recipe(minimal: Path) -> None:
    template = Template(str(minimal))
    with pytest.raises(RecipeError, match=r"train.optimizer.SGD.rate: .*"):
        template.filled({"train.optimizer.SGD.rate": 0.1})
    with pytest.raises(RecipeError, match=r"model.stack\[0\].conv.filters: out of range"):
        template.filled({"model.stack[0].conv.filters": 0})


def test_values_that_make_no_network_are_a_problem_of_the_recipe(minimal: Path) -> None:
    with pytest.raises(RecipeError, match="model.stack"):
        Template(str(minimal)).filled({"model.stack[0].conv.pool": {"max": {"pool_size": 20}}})


# A space.


def space_of(minimal: Path, **space: Any) -> Template:
    block = {"space": space, "stages": [{"name": "one", "trials": 2, "epochs": 1}]}
    data = yaml.safe_load(MINIMAL) | {"tune": block}
    return Template(written(minimal.parent, yaml.safe_dump(data)))


@pytest.mark.parametrize(
    "path, low, high, expected",
    [
        ("train.batch_size", 16, 64, True),
        ("model.stack[0].conv.filters", 4, 5, True),
        ("train.optimizer.SGD.momentum", 0, 0.9, False),
        ("train.optimizer.SGD.weight_decay", 1, 3, False),
    ],
)
def test_whole_numbers_are_known_by_their_place(
    minimal: Path, path: str, low: float, high: float, expected: bool
) -> None:
    entry = {path: {"min_value": low, "max_value": high}}
    data = yaml.safe_load(MINIMAL)
    data["train"] |= {"optimizer": "SGD"}
    data["tune"] = {"space": entry, "stages": [{"name": "one", "trials": 2, "epochs": 1}]}
    template = Template(written(minimal.parent, yaml.safe_dump(data)))
    assert template.recipe.tune is not None
    assert takes_whole_numbers(template.data, template.recipe.tune, path) is expected


def test_a_path_holds_where_its_parent_opens_it(minimal: Path) -> None:
    """Options of a word that the recipe does not have, as long as the word is in the space."""
    template = space_of(
        minimal,
        **{
            "train.optimizer": {"values": ["SGD", "Adam"]},
            RATE: {"min_value": 1, "max_value": 2, "when": {"train.optimizer": "SGD"}},
            "train.optimizer.Adam.beta_1": {
                "min_value": 0.5, "max_value": 0.9, "when": {"train.optimizer": ["Adam"]},
            },
        },
    )  # fmt: skip
    assert template.recipe.tune is not None
    assert takes_whole_numbers(template.data, template.recipe.tune, RATE) is False


def test_every_entry_of_a_circle_is_told(minimal: Path) -> None:
    size, ema, drop = "train.batch_size", "train.ema", "train.drop_remainder"
    with pytest.raises(RecipeError) as caught:
        space_of(
            minimal,
            **{
                size: {"values": [16, 32], "when": {ema: 0.9}},
                ema: {"values": [0.9, 0.99], "when": {size: 16}},
                drop: {"values": [True, False], "when": {ema: 0.9}},
            },
        )
    told = [problem.path for problem in caught.value.problems]
    assert told == [f"tune.space.{size}.when.{ema}", f"tune.space.{ema}.when.{size}"]


# The space that is proposed.


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_space_is_proposed_for_every_shipped_recipe(name: str, tmp_path: Path) -> None:
    from tuning.search import with_proposal

    template, proposed = with_proposal(name, [])
    tune, train = template.recipe.tune, template.recipe.train
    assert proposed
    assert tune is not None
    assert all(f"train.optimizer.{train.optimizer.word}." in path for path in tune.space)
    assert all(1 <= stage.epochs <= train.epochs for stage in tune.stages)
    again, proposed = with_proposal(written(tmp_path, template.dump()), [])
    assert not proposed
    assert again.recipe == template.recipe
