"""Affine maps of images on the device; zoo/augment/warp.py says how they are computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keras import ops

from zoo.augment.device.tensors import integers, per_image, take_pixels
from zoo.augment.warp import ONE, WEIGHT_BITS, fraction_bits

Tensor = Any


def warp(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Moves the pixels of each image by its map in `matrices`, int32 (batch, 6)."""
    return _warp(images, options, draws, along_axes=False)


def warp_along_axes(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Like `warp`, for maps whose b and d are 0, with `windows` or without."""
    return _warp(images, options, draws, along_axes=True)


def _warp(images: Tensor, options: Any, draws: Mapping[str, Tensor], along_axes: bool) -> Tensor:
    height, width = images.shape[1:3]
    columns, rows = _corners(height, width, options, draws, along_axes)
    sums: Tensor = 1 << (2 * WEIGHT_BITS - 1)
    if "windows" not in draws and options.fill_mode == "constant" and options.fill_value:
        inside = sum(weight for _, weight in columns) * sum(weight for _, weight in rows)
        sums += options.fill_value * (ONE * ONE - inside[..., None])
    for row, row_weight in rows:
        for column, column_weight in columns:
            corner = ops.cast(take_pixels(images, row * width + column), "int32")
            weight = row_weight * column_weight
            sums += corner * (weight if isinstance(weight, int) else weight[..., None])
    return ops.cast(ops.right_shift(sums, 2 * WEIGHT_BITS), "uint8")


def _corners(
    height: int, width: int, options: Any, draws: Mapping[str, Tensor], along_axes: bool
) -> tuple[list[Any], list[Any]]:
    """Returns the neighbours along each axis, tensors that broadcast to (batch, height, width)."""
    a, b, c, d, e, f = (per_image(draws["matrices"][:, i])[..., 0] for i in range(6))
    x, y = integers(width), integers(height)[:, None]
    bits = fraction_bits(height, width)
    column = a * x + c if along_axes else a * x + b * y + c
    row = e * y + f if along_axes else d * x + e * y + f
    windows: list[Any] = [None, None]
    if "windows" in draws:
        edges = [per_image(draws["windows"][:, i])[..., 0] for i in range(4)]
        windows = [edges[2:], edges[:2]]
    return (
        list(_neighbours(column, width, bits, options, windows[0])),
        list(_neighbours(row, height, bits, options, windows[1])),
    )


def _neighbours(
    places: Tensor, size: int, bits: int, options: Any, window: Any
) -> Iterator[tuple[Tensor, Any]]:
    """Yields the pixels around places along one axis and their weights, in units of 2^-11."""
    if options.interpolation == "nearest":
        nearest = ops.right_shift(places + (1 << (bits - 1)), bits)
        yield _filled(nearest, ONE, size, options, window)
        return
    places += 1 << (bits - WEIGHT_BITS - 1)
    before = ops.right_shift(places, bits)
    weight = ops.bitwise_and(ops.right_shift(places, bits - WEIGHT_BITS), ONE - 1)
    yield _filled(before, ONE - weight, size, options, window)
    yield _filled(before + 1, weight, size, options, window)


def _filled(
    places: Tensor, weight: Any, size: int, options: Any, window: Any
) -> tuple[Tensor, Any]:
    """Moves places beyond an image into it, or sets their weight to 0 where a value fills it."""
    if window is not None:
        return ops.minimum(ops.maximum(places, window[0]), window[1]), weight
    if options.fill_mode == "constant":
        weight = weight * ops.cast((places >= 0) & (places < size), "int32")
    if options.fill_mode == "wrap":
        return ops.mod(places, size), weight
    if options.fill_mode == "reflect":
        places = ops.mod(places, 2 * size)
        return ops.minimum(places, 2 * size - 1 - places), weight
    return ops.minimum(ops.maximum(places, 0), size - 1), weight
