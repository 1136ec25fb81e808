"""Overwritten rectangles on the device; zoo/augment/erasing.py says what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from zoo.augment.device.tensors import choose, rectangle_masks

Tensor = Any


def cutout(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Overwrites the square at `tops` and `lefts`, int32 (batch,), of each image."""
    squares = rectangle_masks(images, {**draws, "heights": options.size, "widths": options.size})
    levels = np.broadcast_to(np.uint8(options.value), images.shape[-1:])
    return choose(squares, ops.zeros_like(images) + ops.convert_to_tensor(levels), images)


def random_erasing(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Overwrites the rectangle `tops`, `heights`, `lefts` and `widths`, int32 (batch,), of each."""
    if options.fill_value is None:
        pixels = draws["noise"]
    else:
        pixels = ops.full_like(images, options.fill_value)
    return choose(rectangle_masks(images, draws), pixels, images)
