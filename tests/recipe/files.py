"""Recipes in files, and what loading them says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from zoo.errors import RecipeError
from zoo.recipe import load

# A temporary folder or file may serve all examples of a test.
FEW = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(folder: Path, text: str) -> str:
    """Writes a recipe and returns its path."""
    file = folder / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def messages(recipe: str, *overrides: str) -> list[str]:
    """The problems of a recipe, a line each."""
    with pytest.raises(RecipeError) as caught:
        load(recipe, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()
