"""Values as a recipe would give them, without what follows from defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.plugins import example
from tests.recipe import mutations
from zoo.comparison.brief import Brief
from zoo.errors import ZooError
from zoo.loading import load, load_text
from zoo.recipe import Recipe, dump, shipped
from zoo.recipe.writing import dump_data

STACK = ("model", "stack")


def brief(recipe: Recipe) -> Any:
    return Brief(recipe)(recipe.model_dump(mode="json"), ())


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_brief_recipe_is_the_same_recipe(name: str, tmp_path: Path) -> None:
    recipe = load(name)
    text = dump_data(brief(recipe))
    assert load_text(text, tmp_path / "brief.yaml") == recipe
    assert len(text) < len(dump(recipe)) / 2


@pytest.mark.parametrize(
    "given, expected",
    [
        ("conv: {filters: 4, strides: 1, activation: relu, use_bias: false}", {"filters": 4}),
        ("conv: {filters: 4, activation: linear}", {"filters": 4, "activation": "linear"}),
        ("conv: {filters: 4, batch_norm: none}", {"filters": 4, "batch_norm": None}),
        ("conv: {filters: 4, group_norm: {groups: 2}}",
         {"filters": 4, "group_norm": {"groups": 2}}),
        ("conv: {filters: 4, kernel_initializer: he_normal}", {"filters": 4}),
        ("conv: {filters: 4, pool: max}", {"filters": 4, "pool": "max"}),
        ("conv: {filters: 4, pool: {max: 3}}",
         {"filters": 4, "pool": {"max": {"pool_size": [3, 3]}}}),
        ("group: {repeat: 1, stack: [{conv: {filters: 4}}]}",
         {"stack": [{"conv": {"filters": 4}}]}),
    ],
)  # fmt: skip
def test_stages(given: str, expected: Any, minimal: Path) -> None:
    minimal.write_text(minimal.read_text("utf-8").replace("conv: {filters: 4}", given), "utf-8")
    recipe = load(str(minimal))
    (stage,) = brief(recipe)["model"]["stack"]
    assert stage == {given.split(":")[0]: expected}


def test_what_the_defaults_say_is_left_out(minimal: Path) -> None:
    change = "model.defaults={activation: {leaky_relu: 0.3}, padding: valid, batch_norm: none}"
    recipe = load(str(minimal), [change, "model.stack[0].conv.padding=same"])
    (stage,) = brief(recipe)["model"]["stack"]
    assert stage == {"conv": {"filters": 4, "padding": "same"}}


@pytest.mark.laws
def test_brief_recipes_are_the_same_recipes(tmp_path: Path) -> None:
    """Of all accepted mutations, whatever is in them."""
    accepted = 0
    file = tmp_path / "recipe.yaml"
    for number in range(4_000):
        case = mutations.case(number)
        file.write_text(case.text, encoding="utf-8", errors="surrogatepass")
        try:
            recipe = load(str(file), case.overrides)
        except ZooError:
            continue
        if len(dump(recipe)) > 50_000:
            continue
        accepted += 1
        assert load_text(dump_data(brief(recipe)), file) == recipe, number
    assert accepted > 300


def test_parts_of_a_users_own_are_written_as_theirs(tmp_path: Path) -> None:
    recipe = load(str(example.write(tmp_path)))
    written = brief(recipe)
    assert written["model"]["stack"][1] == {"ChannelScale": {"start": 0.9}}
    assert written["model"]["stack"][0]["conv"]["kernel_initializer"] == {"Small": {"width": 0.2}}
    assert written["model"]["defaults"] == {"activation": {"Mish2": {"beta": 1.5}}}
    assert load_text(dump_data(written), tmp_path / "brief.yaml") == recipe
