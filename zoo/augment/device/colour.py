"""Brightness and colour on the device; zoo/augment/colour.py says what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from zoo.augment.colour import MEAN_BITS, UNIT, UNIT_BITS

Tensor = Any


def random_color_jitter(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Applies the matrices `of_pixels`, `of_means` and the offsets `brightness` that were drawn.

    All are int32 in units of 2^-16. An image has at most 2^23 pixels, for the sums of its channels
    to fit in int32.
    """
    height, width, channels = images.shape[1:]
    area = height * width
    pixels = ops.cast(images, "int32")
    sums = ops.sum(pixels, axis=(1, 2))
    whole = ops.floor_divide(sums, area)
    fraction = ops.floor_divide(ops.left_shift(sums - whole * area, MEAN_BITS) + area // 2, area)
    jittered = []
    for channel in range(channels):
        of_means = draws["of_means"][:, :, channel]
        half = 1 << (MEAN_BITS - 1)
        offset = draws["brightness"] - ops.sum(whole * of_means, axis=1)
        offset -= ops.right_shift(ops.sum(fraction * of_means, axis=1) + half, MEAN_BITS)
        values = (offset + UNIT // 2)[:, None, None]
        for source in range(channels):
            factor = draws["of_pixels"][:, source, channel][:, None, None]
            values += pixels[..., source] * factor
        jittered.append(ops.clip(ops.right_shift(values, UNIT_BITS), 0, 255))
    return ops.cast(ops.stack(jittered, axis=-1), "uint8")
