"""Moves the pixels of images by affine maps, in integers.

Every image has its own map, and every pixel of a result is the weighted mean of the four pixels of
the image around the place that the map names. Places are int32 with `fraction_bits` bits after the
point, and weights are multiples of 2^-11 along each axis, so that every product fits in int32 and
every device gives equal bits. The result is rounded, halves up. It is at most one grey level away
from what floats give (tests/augment/test_transformations.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.augment.rng import Draws, Images, Shape, per_image

WEIGHT_BITS = 11  # Along one axis. Products of two weights and a pixel have 30 bits.
ONE = 1 << WEIGHT_BITS

# Pixels that the host changes at a time, to stay in the processor's cache.
BLOCK_PIXELS = 1 << 14


def fraction_bits(height: int, width: int) -> int:
    """Returns how many bits of a place stand after the point.

    A place is at most four sides away from the image's first pixel, so its integer has 31 bits.
    """
    return 29 - (max(height, width, 2) - 1).bit_length()


def as_draws(matrices: np.ndarray, shape: Shape) -> Draws:
    """Writes affine maps as integers, for `warp`.

    Args:
        matrices: float (batch, 6), a map (a, b, c, d, e, f) an image: the result's pixel in column
            x and row y is the image's in column a x + b y + c and row d x + e y + f. The middle of
            the first pixel is (0, 0).
        shape: (batch, height, width, channels) of the images.

    Returns:
        int32 (batch, 6) `matrices` in units of 2^-`fraction_bits`.
    """
    unit = 1 << fraction_bits(shape[1], shape[2])
    return {"matrices": np.rint(matrices * unit).astype(np.int32)}


def about_the_middle(matrices: np.ndarray, shape: Shape) -> np.ndarray:
    """Adds the offsets that make each map leave the image's middle where it is, plus c and f."""
    x, y = (shape[2] - 1) / 2, (shape[1] - 1) / 2
    a, b, c, d, e, f = matrices.T
    return np.stack([a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y], axis=1)


def warp(images: Images, options: Any, draws: Draws) -> Images:
    """Moves the pixels of each image by its map.

    Args:
        images: uint8 (batch, height, width, channels).
        options: `interpolation` (bilinear, nearest), and unless there are `windows` `fill_mode`
            (constant, nearest, reflect, wrap) and `fill_value`.
        draws: int32 (batch, 6) `matrices` from `as_draws`; where each image is cropped, int32
            (batch, 4) `windows`: first row, last row, first column and last column of the crop,
            beyond which its outermost pixels are repeated.

    Returns:
        uint8 (batch, height, width, channels).
    """
    warped = np.empty_like(images)
    block = max(1, BLOCK_PIXELS // (images.shape[1] * images.shape[2]))
    for first in range(0, len(images), block):
        part = slice(first, first + block)
        warped[part] = _warp(images[part], options, {name: draws[name][part] for name in draws})
    return warped


def _warp(images: Images, options: Any, draws: Draws) -> np.ndarray:
    count, height, width, channels = images.shape
    planes = np.ascontiguousarray(images.transpose(3, 0, 1, 2)).reshape(channels, -1)
    columns, rows = _corners(height, width, options, draws)
    first = per_image(np.arange(count) * (height * width))[..., 0]
    sums = np.full((channels, count, height, width), 1 << (2 * WEIGHT_BITS - 1), np.int32)
    if "windows" not in draws and options.fill_mode == "constant" and options.fill_value:
        inside = sum(weight for _, weight in columns) * sum(weight for _, weight in rows)
        sums += options.fill_value * (ONE * ONE - inside)
    for row, row_weight in rows:
        start = first + row * width
        for column, column_weight in columns:
            corner = planes.take(start + column, axis=1).astype(np.int32)
            corner *= row_weight * column_weight
            sums += corner
    sums >>= 2 * WEIGHT_BITS
    return sums.astype(np.uint8).transpose(1, 2, 3, 0)


def _corners(height: int, width: int, options: Any, draws: Draws) -> tuple[list[Any], list[Any]]:
    """Returns the neighbours along each axis, arrays that broadcast to (batch, height, width)."""
    a, b, c, d, e, f = draws["matrices"].T[:, :, None, None]
    x, y = np.arange(width, dtype=np.int32), np.arange(height, dtype=np.int32)[:, None]
    bits = fraction_bits(height, width)
    # Most words stretch or shift each axis alone: far fewer places to compute.
    column = a * x + c if not b.any() else a * x + b * y + c
    row = e * y + f if not d.any() else d * x + e * y + f
    windows: list[Any] = [None, None]
    if "windows" in draws:
        top, bottom, left, right = draws["windows"].T[:, :, None, None]
        windows = [(left, right), (top, bottom)]
    return (
        list(_neighbours(column, width, bits, options, windows[0])),
        list(_neighbours(row, height, bits, options, windows[1])),
    )


def _neighbours(
    places: np.ndarray, size: int, bits: int, options: Any, window: Any
) -> Iterator[tuple[np.ndarray, Any]]:
    """Yields the pixels around places along one axis and their weights, in units of 2^-11."""
    if options.interpolation == "nearest":
        nearest = (places + (1 << (bits - 1))) >> bits
        yield _filled(nearest, np.int32(ONE), size, options, window)
        return
    places = places + (1 << (bits - WEIGHT_BITS - 1))
    before = places >> bits
    weight = (places >> (bits - WEIGHT_BITS)) & (ONE - 1)
    yield _filled(before, ONE - weight, size, options, window)
    yield _filled(before + 1, weight, size, options, window)


def _filled(
    places: np.ndarray, weight: Any, size: int, options: Any, window: Any
) -> tuple[np.ndarray, Any]:
    """Moves places beyond an image into it, or sets their weight to 0 where a value fills it."""
    if window is not None:
        return places.clip(*window), weight
    if options.fill_mode == "constant":
        weight = np.where((places >= 0) & (places < size), weight, np.int32(0))
    if options.fill_mode == "wrap":
        return places % size, weight
    if options.fill_mode == "reflect":
        places = places % (2 * size)
        return np.minimum(places, 2 * size - 1 - places), weight
    return places.clip(0, size - 1), weight
