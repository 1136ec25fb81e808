"""Random changes of training images, each image on its own, on whole uint8 batches in numpy.

Keras's RandomCrop draws one place a batch, and its layers run in training mode when a model is
called or exported; here augmentation is part of the data, a pure function of its random generator.
A new augmentation is a line in `names.AUGMENTATIONS` and an entry in `AUGMENT`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoo.recipe.words import Choice

Images = np.ndarray  # uint8 (batch, height, width, channels)


def augmented(images: Images, steps: Sequence[Choice], rng: np.random.Generator) -> Images:
    """Applies the recipe's augmentations in their order; never changes `images` itself."""
    for step in steps:
        images = AUGMENT[step.word](images, step.options, rng)
    return images


def random_flip(images: Images, options: Any, rng: np.random.Generator) -> Images:
    """Mirrors each image along each of the axes with probability 1/2."""
    axes = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (2, 1)}[options.mode]
    images = images.copy()
    for axis in axes:
        chosen = rng.random(len(images)) < 0.5
        images[chosen] = np.flip(images[chosen], axis)
    return images


def random_crop(images: Images, options: Any, rng: np.random.Generator) -> Images:
    """Pads every side, then cuts the old size out, at a place drawn for each image."""
    count, height, width, _ = images.shape
    pad = options.padding
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=options.fill)
    tops, lefts = rng.integers(0, 2 * pad + 1, (2, count))
    cut = np.empty_like(images)
    for i, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        cut[i] = padded[i, top : top + height, left : left + width]
    return cut


def cutout(images: Images, options: Any, rng: np.random.Generator) -> Images:
    """Writes a square of one value around a pixel drawn for each image; it may reach over the edge.

    Source: DeVries & Taylor 2017.
    """
    count, height, width, _ = images.shape
    images = images.copy()
    rows = rng.integers(0, height, count) - options.size // 2
    columns = rng.integers(0, width, count) - options.size // 2
    for i, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        bottom, right = row + options.size, column + options.size
        images[i, max(row, 0) : bottom, max(column, 0) : right] = options.value
    return images


AUGMENT: dict[str, Callable[[Images, Any, np.random.Generator], Images]] = {
    "random_flip": random_flip,
    "random_crop": random_crop,
    "cutout": cutout,
}
