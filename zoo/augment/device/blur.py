"""Gaussian blur on the device; zoo/augment/blur.py says how it is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from zoo.augment.blur import KEPT_BITS, WEIGHT_BITS, mirrored
from zoo.augment.device.tensors import per_image

Tensor = Any


def gaussian_blur(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Averages rows and then columns with `weights`, int32 (batch, kernel_size)."""
    height, width = images.shape[1:3]
    rows, columns = (mirrored(size, options.kernel_size) for size in (height, width))
    weights = [per_image(draws["weights"][:, i]) for i in range(options.kernel_size)]
    padded = ops.take(ops.cast(images, "int32"), rows, axis=1)
    sums = sum(padded[:, i : i + height] * weight for i, weight in enumerate(weights))
    bits = WEIGHT_BITS - KEPT_BITS
    padded = ops.take(ops.right_shift(sums + (1 << (bits - 1)), bits), columns, axis=2)
    sums = sum(padded[:, :, i : i + width] * weight for i, weight in enumerate(weights))
    bits = WEIGHT_BITS + KEPT_BITS
    return ops.cast(ops.right_shift(sums + (1 << (bits - 1)), bits), "uint8")
