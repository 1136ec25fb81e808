"""Multi-label images for tests: two digits side by side, or one, or none; labels are the digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runs import tiny
from zoo.datasets import digits, load
from zoo.datasets.splits import ArraySplit, Split, Splits
from zoo.recipe import Recipe

SHAPE = (8, 16, 1)
BLANK = 0.1  # Share of the halves that show no digit.
SIZES = {"train": 1257, "validation": 180, "test": 180}


def collage(split: Split, count: int) -> ArraySplit:
    """`count` images, each of two images of the split, and the classes in them."""
    rng = np.random.default_rng(count)
    pairs = rng.integers(len(split), size=(count, 2))
    shown = rng.random((count, 2)) > BLANK
    labels = np.zeros((count, 10), np.uint8)
    halves = []
    for side in range(2):
        images = split.images(pairs[:, side]) * shown[:, side, None, None, None]
        halves.append(images.astype(np.uint8))
        labels[np.flatnonzero(shown[:, side]), split.labels[pairs[shown[:, side], side]]] = 1
    return ArraySplit(np.concatenate(halves, axis=2), labels)


def splits(*arguments: Any) -> Splits:
    """In the place of the source `digits`."""
    options, data, spec, *others = arguments
    small = replace(spec, height=8, width=8)
    source = digits.load(options, data.model_copy(update={"image_size": (8, 8)}), small, *others)
    made = {name: collage(getattr(source, name), count) for name, count in SIZES.items()}
    return replace(source, **made, image_shape=SHAPE, fingerprint="c" * 64, multi_label=True)


@contextmanager
def as_digits() -> Iterator[None]:
    """Lets the source `digits` give collages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(load.SOURCES, "digits", splits)
        yield


def recipe(folder: Path, *overrides: str) -> Recipe:
    """The small recipe for collages, with overrides as of `--set`."""
    fixed = ("data.image_size=[8, 16]", "train.loss=sigmoid")
    return tiny(folder, *fixed, *overrides)
