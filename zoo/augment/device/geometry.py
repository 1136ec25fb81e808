"""Flips and crops on the device; zoo/augment/geometry.py says what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from zoo.augment.device.tensors import choose, integers, look_up, take_pixels
from zoo.augment.geometry import FLIPPED_AXES

Tensor = Any


def random_flip(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Mirrors the images for which `axis_1` or `axis_2`, bool (batch,), is true."""
    for axis in FLIPPED_AXES[options.mode]:
        images = choose(draws[f"axis_{axis}"], ops.flip(images, axis), images)
    return images


def alternating_flip(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Mirrors the images for which `flipped`, bool (batch,), is true."""
    return choose(draws["flipped"], ops.flip(images, 2), images)


def random_crop(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Cuts the window at `tops` and `lefts`, int32 (batch,), out of each padded image.

    The padded images are never made: each row and column of a window is looked up in the image.
    """
    height, width = images.shape[1:3]
    rows = _padded_places(height, options, draws["tops"])
    columns = _padded_places(width, options, draws["lefts"])
    places = ops.maximum(rows, 0)[:, :, None] * width + ops.maximum(columns, 0)[:, None]
    crops = take_pixels(images, places)
    if options.fill == "reflect":
        return crops
    inside = (rows >= 0)[:, :, None] & (columns >= 0)[:, None]
    return choose(inside, crops, ops.zeros_like(crops))


def _padded_places(size: int, options: Any, first: Tensor) -> Tensor:
    """Returns the row of the image that each row of a window comes from; -1 for a blank row.

    Args:
        size: rows of an image and of its window.
        options: `padding` and `fill` of random_crop.
        first: int32 (batch,), first row of each window in the padded image.

    Returns:
        int32 (batch, size).
    """
    places = np.arange(size, dtype=np.int32)
    if options.fill == "reflect":
        padded = np.pad(places, options.padding, mode="reflect")
    else:
        padded = np.pad(places, options.padding, constant_values=-1)
    return look_up(padded, first[:, None] + integers(size))
