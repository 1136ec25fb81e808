"""Folders of small images, and recipes that read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo.datasets.splits import Split
from zoo.recipe.schema import Recipe

Maker = Callable[..., Path]


def make_recipe(source: Any, **data: Any) -> Recipe:
    """A recipe of 8 x 6 images (height x width) from `source`."""
    data = {"source": source, "image_size": [8, 6], **data}
    return Recipe.model_validate(
        {
            "name": "x",
            "data": data,
            "model": {"stack": ["flatten"]},
            "train": {"epochs": 1, "loss": "sigmoid"},
        }
    )


def whole(split: Split | None) -> np.ndarray:
    """All images of a split."""
    assert split is not None
    return split.images(np.arange(len(split)))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is this test's alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ZOO_CACHE", str(folder))
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Maker:
    """Makes PNG files: `images("train/cat", 3)` writes train/cat/0.png to 2.png."""
    generator = np.random.default_rng(0)

    def make(folder: str, count: int, size: tuple[int, int] = (8, 6)) -> Path:
        path = tmp_path / "pets" / folder
        path.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path / f"{number}.png")
        return path

    return make


@pytest.fixture
def pets(tmp_path: Path, images: Maker) -> Path:
    """train/ and test/ with cat and dog: 10 and 2 images a class."""
    for split, count in (("train", 10), ("test", 2)):
        for name in ("cat", "dog"):
            images(f"{split}/{name}", count)
    return tmp_path / "pets"
