"""Folders of drawn images, and recipes written for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from zoo import recipe as recipes
from zoo.cli import app
from zoo.new import NewRecipe, new
from zoo.plan import num_classes, plan
from zoo.recipe import Recipe

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Draws `count` images: `draw("pets/cat", 3, (8, 6))` writes 0.png to 2.png."""
    generator = np.random.default_rng(0)

    def make(
        folder: str, count: int, size: tuple[int, int] = (8, 6), *, grey: bool = False
    ) -> Path:
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        first = len(list(path.iterdir()))
        for number in range(first, first + count):
            shape = size if grey else (*size, 3)
            pixels = generator.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(path / f"{number}.png")
        return tmp_path / folder.split("/")[0]

    return make


@pytest.fixture
def pets(draw: Draw) -> Path:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 6)
    return folder


def write_recipe(data: Path | str, out: Path) -> tuple[NewRecipe, Recipe, str]:
    """Writes a recipe, checks that it loads and fits its plan; returns it, loaded and as text."""
    result = new(str(data), out)
    loaded = recipes.load(str(out))
    text = out.read_text(encoding="utf-8")
    without_paths = [
        line for line in text.splitlines() if "source:" not in line and "/" not in line
    ]
    assert max(map(len, without_paths)) <= 100
    assert plan(loaded, num_classes(loaded)).parameters == result.parameters
    return result, loaded, text


def call(*arguments: str | Path) -> Any:
    """Runs `zoo new` in this process."""
    return CliRunner().invoke(app, ["new", *(str(argument) for argument in arguments)])
