"""A shorter training is the same in proportion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recipe.files import FEW, write
from zoo.recipe import Recipe, dump, load, with_epochs

STEPS = "train.schedule={step: {at_epochs: [2, 5, 9.5], factor: 0.1}}"
UNFREEZE = "train.learning_rate_factors=[{pattern: kernel, factor: 0.5, until_epoch: 4}]"
PATIENCE = "train.early_stopping={patience: 2}"


def at_epochs(file: Path, epochs: int, *overrides: str) -> Recipe:
    return load(str(file), [f"train.epochs={epochs}", *overrides])


@pytest.mark.parametrize("word", ["cosine", "one_cycle"])
def test_warmup_keeps_its_share(minimal: Path, word: str) -> None:
    recipe = at_epochs(minimal, 10, f"train.schedule={{{word}: {{warmup_epochs: 4}}}}")
    short = with_epochs(recipe, 5).train
    assert (short.epochs, short.schedule.word) == (5, word)
    assert short.schedule.options.warmup_epochs == pytest.approx(2)


def test_steps_keep_their_shares(minimal: Path) -> None:
    short = with_epochs(at_epochs(minimal, 10, STEPS), 5).train.schedule.options
    assert short.at_epochs == pytest.approx((1, 2.5, 4.75))
    assert short.factor == 0.1


@pytest.mark.parametrize(
    "schedule, expected",
    [
        ("{step: {every: 5}}", {"every": 2.5, "at_epochs": None}),
        ("{polynomial: {decay_epochs: 8}}", {"decay_epochs": 4}),
        ("polynomial", {"decay_epochs": None}),
        ("{inverse_time: 2}", {"decay_epochs": 0.5, "decay_rate": 2}),
        ("{cosine_restarts: 4}", {"first_decay_epochs": 2, "t_mul": 2}),
        ("{reduce_on_plateau: {patience: 6, cooldown: 4}}", {"patience": 3, "cooldown": 2}),
        ("{reduce_on_plateau: {patience: 1, cooldown: 0}}", {"patience": 1, "cooldown": 0}),
    ],
)
def test_what_a_schedule_gives_in_epochs(
    minimal: Path, schedule: str, expected: dict[str, Any]
) -> None:
    short = with_epochs(at_epochs(minimal, 10, f"train.schedule={schedule}"), 5)
    options = short.train.schedule.options
    assert {key: getattr(options, key) for key in expected} == expected
    assert load(write(minimal.parent, dump(short))) == short


def test_a_variable_is_held_for_its_share(minimal: Path) -> None:
    more = UNFREEZE[:-1] + ", {pattern: bias, factor: 2}]"
    one, other = with_epochs(at_epochs(minimal, 10, more), 5).train.learning_rate_factors
    assert (one.pattern, one.factor, one.until_epoch) == ("kernel", 0.5, pytest.approx(2))
    assert (other.factor, other.until_epoch) == (2, None)


@FEW
@given(
    factor=st.floats(0.5, 1.0, exclude_max=True), epochs=st.integers(1, 50), new=st.integers(1, 50)
)
def test_exponential_ends_at_the_same_rate(
    minimal: Path, factor: float, epochs: int, new: int
) -> None:
    recipe = at_epochs(minimal, epochs, f"train.schedule={{exponential: {{factor: {factor!r}}}}}")
    short = with_epochs(recipe, new).train.schedule.options
    assert short.factor**new == pytest.approx(factor**epochs, rel=1e-9)


def test_early_stopping_goes(minimal: Path) -> None:
    assert with_epochs(at_epochs(minimal, 10, PATIENCE), 5).train.early_stopping is None


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
    assert with_epochs(at_epochs(minimal, 10, PATIENCE, *overrides), 10) == at_epochs(
        minimal, 10, *overrides
    )


def test_nothing_else_changes(minimal: Path) -> None:
    recipe = at_epochs(minimal, 10, STEPS, UNFREEZE)
    old, new = recipe.model_dump(), with_epochs(recipe, 4).model_dump()
    for key in ("epochs", "schedule", "learning_rate_factors"):
        assert old["train"].pop(key) != new["train"].pop(key)
    assert old == new


def test_warmup_is_never_longer_than_the_training(minimal: Path) -> None:
    """7 * (29 / 7) is above 29."""
    recipe = at_epochs(minimal, 7, "train.schedule={cosine: {warmup_epochs: 7}}")
    assert with_epochs(recipe, 29).train.schedule.options.warmup_epochs == 29


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
    short = with_epochs(at_epochs(minimal, epochs, change), new)
    assert load(write(minimal.parent, dump(short))) == short
