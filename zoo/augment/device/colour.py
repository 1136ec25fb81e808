"""Brightness and colour on the device; zoo/augment/colour.py says what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from zoo.augment.colour import MEAN_BITS, UNIT, UNIT_BITS
from zoo.augment.device.tensors import per_image

Tensor = Any


def random_color_jitter(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Applies the matrices `of_pixels`, `of_means` and the offsets `brightness` that were drawn.

    All are int32 in units of 2^-16. An image has at most 2^23 pixels, for the sums of its channels
    to fit in int32.
    """
    channels = images.shape[3]
    pixels = ops.cast(images, "int32")
    whole, fraction = _means(pixels)
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


def random_brightness(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Adds `added`, int32 (batch,), to the values of each image."""
    brighter = ops.cast(images, "int32") + per_image(draws["added"])
    return ops.cast(ops.clip(brighter, 0, 255), "uint8")


def random_contrast(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Stretches each image about its channels' means by `stretch`, int32 in units of 2^-16.

    An image has at most 2^23 pixels, as for `random_color_jitter`.
    """
    pixels = ops.cast(images, "int32")
    whole, fraction = _means(pixels)
    of_means = UNIT - draws["stretch"][:, None]
    offset = whole * of_means + UNIT // 2
    offset += ops.right_shift(fraction * of_means + (1 << (MEAN_BITS - 1)), MEAN_BITS)
    values = pixels * per_image(draws["stretch"]) + offset[:, None, None]
    return ops.cast(ops.clip(ops.right_shift(values, UNIT_BITS), 0, 255), "uint8")


def _means(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Returns each channel's mean, int32 (batch, channels): whole part, and fraction times 2^8."""
    area = pixels.shape[1] * pixels.shape[2]
    sums = ops.sum(pixels, axis=(1, 2))
    whole = ops.floor_divide(sums, area)
    rest = ops.left_shift(sums - whole * area, MEAN_BITS)
    return whole, ops.floor_divide(rest + area // 2, area)
