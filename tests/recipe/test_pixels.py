"""Words on transparency and on the range of values."""

from __future__ import annotations

from typing import Any

import pytest

from zoo import recipe as recipes
from zoo.datasets.spec import ImageSpec
from zoo.errors import RecipeError
from zoo.recipe.pixels import MAX_VALUE, usable_range
from zoo.recipe.resolve import with_value_range


@pytest.mark.parametrize(
    "key, value, of_spec",
    [
        ("transparency", "none", "drop"),
        ("transparency", "drop", "drop"),
        ("transparency", "alpha", "alpha"),
        ("transparency", "{background: white}", (255, 255, 255)),
        ("transparency", "{background: {color: [1, 2, 3]}}", (1, 2, 3)),
        ("value_range", "none", None),
        ("value_range", "[-1000, 3000]", (-1000.0, 3000.0)),
        ("value_range", "[0, 1e-3]", (0.0, 0.001)),
    ],
)
def test_words_come_back_and_reach_the_decoder(
    key: str, value: str, of_spec: Any, tmp_path: Any
) -> None:
    recipe = recipes.load("digits-tiny", [f"data.{key}={value}"])
    file = tmp_path / "again.yaml"
    file.write_text(recipes.dump(recipe), encoding="utf-8")
    assert recipes.load(str(file)) == recipe
    assert getattr(ImageSpec.of(recipe), key) == of_spec


def test_a_measured_range_takes_the_place_of_auto() -> None:
    recipe = recipes.load("digits-tiny", ["data.value_range=auto"])
    assert with_value_range(recipe, (3.0, 9.0)).data.value_range == (3.0, 9.0)
    assert with_value_range(recipe, None).data.value_range is None
    written = recipes.load("digits-tiny", ["data.value_range=[0, 5]"])
    assert with_value_range(written, (3.0, 9.0)) is written


@pytest.mark.parametrize("value", ["[5, 5]", "[0, 1e13]", "[1, 2, 3]", "full", "[true, 2]", "[]"])
def test_other_ranges_are_refused(value: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.load("digits-tiny", [f"data.value_range={value}"])
    assert "not a range of values. Expected auto, or [low, high]" in str(caught.value)


def test_measured_limits_become_a_range_that_a_recipe_may_hold() -> None:
    assert usable_range(2.0, 2.0) == (2.0, 3.0)
    assert usable_range(-1e30, 1e30) == (-MAX_VALUE, MAX_VALUE)
    low, high = usable_range(1e30, 1e30)
    assert low < high <= MAX_VALUE
