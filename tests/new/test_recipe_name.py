"""Any text becomes a name that a recipe accepts."""

from __future__ import annotations

import pytest

from zoo.new.recipe_name import recipe_name


@pytest.mark.parametrize(
    "text, wanted",
    [("pets", "pets"), ("my pets", "my-pets"), ("Äpfel", "Apfel"), ("猫", "images"),
     ("_x_", "x"), ("a" * 99, "a" * 64), ("", "images"), ("..", "images")],
)  # fmt: skip
def test_recipe_name(text: str, wanted: str) -> None:
    assert recipe_name(text) == wanted
