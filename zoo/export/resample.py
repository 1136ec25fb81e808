"""Pillow's resizing in TensorFlow operations, to the bit.

Pillow resamples 8-bit images with weights of 22 fractional bits, first along the width and then
along the height, and rounds after each (Pillow, src/libImaging/Resample.c).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi
from typing import Any

import tensorflow as tf

from zoo.datasets.decoding.images import ImageSpec

PRECISION = 22  # Bits of Pillow's fixed-point weights.
GROUP = 8  # Neighbouring output pixels computed from one window of the input.
BLOCK = 1 << 22  # Values computed at a time, to bound the memory of 64-bit arithmetic.


def resize(pixels: Any, spec: ImageSpec) -> Any:
    """Resizes uint8 (height, width, channels) to the spec's size, as training does.

    Args:
        pixels: the image.
        spec: the size, the interpolation, and whether to crop or pad to the aspect ratio.
    """
    shape = tf.shape(pixels)
    height, width = shape[0], shape[1]
    if spec.pad_to_aspect_ratio:
        resized = lambda: _resize_and_pad(pixels, height, width, spec)  # noqa: E731
    elif spec.crop_to_aspect_ratio:
        resized = lambda: _crop_and_resize(pixels, height, width, spec)  # noqa: E731
    else:
        resized = lambda: _resample(pixels, spec.height, spec.width, spec)  # noqa: E731
    same_size = tf.logical_and(height == spec.height, width == spec.width)
    return tf.cond(same_size, lambda: pixels, resized)


def _resize_and_pad(pixels: Any, height: Any, width: Any, spec: ImageSpec) -> Any:
    def scaled(size: Any, most: int, scale: Any) -> Any:
        rounded = tf.cast(tf.round(tf.cast(size, tf.float64) * scale), tf.int32)
        return tf.minimum(most, tf.maximum(1, rounded))

    unit = tf.constant(1.0, tf.float64)
    scale = tf.minimum(
        unit * spec.width / tf.cast(width, tf.float64),
        unit * spec.height / tf.cast(height, tf.float64),
    )
    rows, columns = scaled(height, spec.height, scale), scaled(width, spec.width, scale)
    top, left = (spec.height - rows) // 2, (spec.width - columns) // 2
    resized = _resample(pixels, rows, columns, spec)
    margins = [[top, spec.height - rows - top], [left, spec.width - columns - left], [0, 0]]
    return tf.pad(resized, margins)


def _crop_and_resize(pixels: Any, height: Any, width: Any, spec: ImageSpec) -> Any:
    def side(size: Any, other: Any, target: int, other_target: int) -> Any:
        whole = tf.cast(tf.cast(other * target, tf.float64) / float(other_target), tf.int32)
        return tf.maximum(1, tf.minimum(size, whole))

    columns = side(width, height, spec.width, spec.height)
    rows = side(height, width, spec.height, spec.width)
    top, left = (height - rows) // 2, (width - columns) // 2
    window = pixels[top : top + rows, left : left + columns]
    return _resample(window, spec.height, spec.width, spec)


def _resample(pixels: Any, height: Any, width: Any, spec: ImageSpec) -> Any:
    """Resamples to (height, width), the width first as in Pillow."""
    if spec.interpolation == "nearest":
        resample_rows = _nearest
    else:
        resample_rows = partial(_convolve, *FILTERS[spec.interpolation])

    def along(image: Any, size: Any) -> Any:
        shape = tf.shape(image)
        flat = tf.reshape(image, [shape[0], -1])
        return tf.reshape(resample_rows(flat, size), [size, shape[1], shape[2]])

    across = tf.transpose(along(tf.transpose(pixels, [1, 0, 2]), width), [1, 0, 2])
    return along(across, height)


def _nearest(values: Any, size: Any) -> Any:
    count = tf.shape(values)[0]
    return tf.gather(values, (2 * tf.range(size) + 1) * count // (2 * size))


def _convolve(support: float, weigh: Callable[[Any], Any], values: Any, size: Any) -> Any:
    """Resamples the rows of uint8 (n, m) to (size, m) in whole numbers, as Pillow does.

    Sums of 8-bit pixels times 22-bit weights stay far below 2**53, so a matrix product in float64
    is exact whatever its order of additions.

    Args:
        support: the filter's reach, in output pixels.
        weigh: the filter: weights from distances.
        values: the rows.
        size: the number of output rows.
    """
    count = tf.shape(values)[0]
    # A 1.0 that is computed: TensorFlow would fold constants and round otherwise than Pillow, which
    # moves a pixel on the edge of a box to the other side.
    unit = tf.cast(tf.minimum(count, 1), tf.float64)
    size = size - 1 + tf.minimum(count, 1)
    scale = tf.cast(count, tf.float64) / tf.cast(size, tf.float64)
    stretch = tf.maximum(scale, unit)
    reach = support * stretch
    groups = (size + GROUP - 1) // GROUP
    out = tf.minimum(tf.range(groups * GROUP), size - 1)
    centre = (tf.cast(out, tf.float64) + 0.5) * scale
    first = tf.maximum(tf.cast(centre - reach + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(centre + reach + 0.5, tf.int32), count)
    start = first[::GROUP]
    length = tf.reduce_max(last[GROUP - 1 :: GROUP] - start)
    position = start[:, None] + tf.range(length)  # (groups, length)
    by_group = [tf.reshape(tensor, [groups, GROUP, 1]) for tensor in (first, last, centre)]
    at = position[:, None, :]
    inside = tf.logical_and(at >= by_group[0], at < by_group[1])
    weights = weigh((tf.cast(at, tf.float64) - by_group[2] + 0.5) * (unit / stretch))
    weights = tf.where(inside, weights, 0.0 * unit)
    weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
    weights *= 1 << PRECISION
    weights = tf.cast(
        tf.cast(weights + tf.where(weights < 0, -0.5 * unit, 0.5), tf.int32), unit.dtype
    )
    position = tf.minimum(position, count - 1)
    columns = tf.shape(values)[1]
    step = tf.maximum(1, BLOCK // tf.maximum(count, size))

    def block(begin: Any, done: Any) -> tuple[Any, Any]:
        window = tf.cast(tf.gather(values[:, begin : begin + step], position), tf.float64)
        total = tf.floor((tf.matmul(weights, window) + (1 << (PRECISION - 1))) / (1 << PRECISION))
        whole = tf.cast(tf.clip_by_value(total, 0.0, 255.0), tf.uint8)
        whole = tf.reshape(whole, [groups * GROUP, tf.shape(window)[2]])[:size]
        return begin + step, tf.concat([done, whole], 1)

    begin, empty = tf.constant(0), tf.zeros([size, 0], tf.uint8)
    shapes = [begin.shape, tf.TensorShape([None, None])]
    return tf.while_loop(
        lambda begin, done: begin < columns, block, [begin, empty], shape_invariants=shapes
    )[1]


def _box(x: Any) -> Any:
    return tf.cast(tf.logical_and(x > -0.5, x <= 0.5), tf.float64)


def _bilinear(x: Any) -> Any:
    return tf.maximum(1.0 - tf.abs(x), 0.0)


def _bicubic(x: Any) -> Any:
    """Keys 1981, "Cubic convolution interpolation for digital image processing", a = -0.5."""
    x = tf.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return tf.where(x < 1, near, tf.where(x < 2, far, tf.zeros_like(x)))


def _lanczos(x: Any) -> Any:
    def sinc(x: Any) -> Any:
        x = x * pi
        return tf.where(x == 0, tf.ones_like(x), tf.math.divide_no_nan(tf.sin(x), x))

    inside = tf.logical_and(x >= -3, x < 3)
    return tf.where(inside, sinc(x) * sinc(x / 3), tf.zeros_like(x))


# Pillow's filters: the reach in output pixels, and the weight at a distance.
FILTERS: dict[str, tuple[float, Callable[[Any], Any]]] = {
    "area": (0.5, _box),
    "bilinear": (1.0, _bilinear),
    "bicubic": (2.0, _bicubic),
    "lanczos3": (3.0, _lanczos),
}
