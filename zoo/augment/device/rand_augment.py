"""RandAugment on the device; zoo/augment/rand_augment.py says what the operations do.

Every group of operations is computed for all images: five look values up in a table, four blend an
image with a version of itself, five resample it. Then each image gets the result that it has drawn.
On two cores without a GPU that takes three times as long as the host's way with TensorFlow, and as
long with JAX (benchmarks/augment_speed.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from keras import ops
from PIL import Image

from zoo.augment.affine import MATRICES, WEIGHT_BITS, resampling
from zoo.augment.device.tensors import (
    choose,
    integers,
    look_up,
    per_image,
    take_pixels,
    take_values,
)
from zoo.augment.rand_augment import (
    OPERATIONS,
    blend_factor,
    posterize_bits,
    solarize_threshold,
)

Tensor = Any
NUMBERS = {word: number for number, word in enumerate(OPERATIONS)}
BLENDS = ("color", "contrast", "brightness", "sharpness")

# Pillow's weights of red, green and blue in grey, in units of 2^-16 (ITU-R 601).
LUMA = (19595, 38470, 7471)
LUMA_BITS = 16


def rand_augment(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Applies the drawn `operations` with `signs`, int32 (batch, num_ops), to the images.

    Bits equal the host's. The host's blends and `equalize` are Pillow's. An image has at most 2^22
    pixels, so that its sum of grey values fits in int32.
    """
    for step in range(options.num_ops):
        operations, signs = draws["operations"][:, step], draws["signs"][:, step]
        factors = [blend_factor(sign * options.factor) for sign in (-1, 1)]
        blended = blend(images, operations, blend_table(factors), ops.where(signs > 0, 1, 0))
        resampled = _resample(images, operations, signs, options.factor)
        tables = value_tables(images, operations, _fixed_tables(options.factor), operations)
        images = take_values(tables, images)
        images = choose(drawn(operations, BLENDS), blended, images)
        images = choose(drawn(operations, MATRICES), resampled, images)
    return images


def drawn(operations: Tensor, words: Iterable[str]) -> Tensor:
    """Marks the images whose operation is one of `words`: bool (batch,)."""
    table = np.isin(np.arange(len(OPERATIONS)), [NUMBERS[word] for word in words])
    return look_up(table, operations)


def _fixed_tables(factor: float) -> np.ndarray:
    """Returns new values that do not depend on the image: int32 (operations, 256)."""
    values = np.arange(256, dtype=np.int32)
    fixed = np.tile(values, (len(OPERATIONS), 1))
    fixed[NUMBERS["solarize"]] = np.where(values < solarize_threshold(factor), values, 255 - values)
    fixed[NUMBERS["posterize"]] = values & -(1 << (8 - posterize_bits(factor)))
    return fixed


def value_tables(images: Tensor, operations: Tensor, fixed: np.ndarray, rows: Tensor) -> Tensor:
    """Returns the new value for each value, uint8 (batch, channels, 256).

    Args:
        images: uint8 (batch, height, width, channels).
        operations: int32 (batch,), indices into `OPERATIONS`.
        fixed: int32 (rows, 256), tables that do not depend on the image; those that change nothing
            where an operation is a blend or moves pixels.
        rows: int32 (batch,), row of each image's table.
    """
    tables = look_up(fixed, rows)[:, None]
    for word, compute in (("auto_contrast", _auto_contrast), ("equalize", _equalize)):
        tables = ops.where(drawn(operations, [word])[:, None, None], compute(images), tables)
    return ops.cast(tables, "uint8")


def _auto_contrast(images: Tensor) -> Tensor:
    """Stretches each channel to 0..255: int32 (batch, channels, 256)."""
    lowest = ops.cast(ops.min(images, axis=(1, 2)), "int32")[:, :, None]
    highest = ops.cast(ops.max(images, axis=(1, 2)), "int32")[:, :, None]
    values = integers(256)
    stretched = ops.floor_divide(255 * (values - lowest), ops.maximum(highest - lowest, 1))
    return ops.where(highest > lowest, ops.clip(stretched, 0, 255), values)


def _equalize(images: Tensor) -> Tensor:
    """Makes the values of each channel equally frequent: int32 (batch, channels, 256)."""
    histograms = _histograms(images)
    values = integers(256)
    highest = ops.cast(ops.max(images, axis=(1, 2)), "int32")[:, :, None]
    others = ops.sum(ops.where(values < highest, histograms, 0), axis=2, keepdims=True)
    step = ops.floor_divide(others, 255)
    below = ops.cumsum(histograms, axis=2) - histograms
    equalized = ops.floor_divide(ops.floor_divide(step, 2) + below, ops.maximum(step, 1))
    return ops.where(step > 0, ops.clip(equalized, 0, 255), values)


def _histograms(images: Tensor) -> Tensor:
    """Counts the pixels of each value: int32 (batch, channels, 256)."""
    count = ops.shape(images)[0]
    channels = images.shape[3]
    table = ops.arange(count, dtype="int32")[:, None, None, None] * channels + integers(channels)
    places = ops.reshape(table * 256 + ops.cast(images, "int32"), (-1,))
    counts = ops.segment_sum(ops.ones_like(places), places, num_segments=count * channels * 256)
    return ops.reshape(counts, (count, channels, 256))


def blend_table(factors: Iterable[float]) -> np.ndarray:
    """Returns the blends of all pairs of values, uint8 (factors * 256 * 256,).

    Pillow itself computes them: floats are not rounded alike everywhere.
    """
    value = np.arange(256, dtype=np.uint8)
    first = Image.fromarray(np.repeat(value[:, None], 256, axis=1))
    second = Image.fromarray(np.repeat(value[None], 256, axis=0))
    return np.array([Image.blend(first, second, factor) for factor in factors]).ravel()


def blend(images: Tensor, operations: Tensor, table: np.ndarray, rows: Tensor) -> Tensor:
    """Blends each image with its version without color, contrast, brightness or sharpness.

    Args:
        images: uint8 (batch, height, width, channels).
        operations: int32 (batch,), indices into `OPERATIONS`.
        table: from `blend_table`.
        rows: int32 (batch,), place of each image's factor among those of the table.

    Returns:
        uint8 (batch, height, width, channels).
    """
    height, width = images.shape[1:3]
    pixels = ops.cast(images, "int32")
    grey = _grey(pixels)
    area = height * width
    means = ops.sum(grey, axis=(1, 2, 3), keepdims=True)
    means = ops.floor_divide(2 * means + area, 2 * area)
    versions = {"color": grey, "contrast": means, "sharpness": _smooth(pixels)}
    base = ops.zeros_like(pixels)
    for word, version in versions.items():
        # At most one of the three is not 0. On TensorFlow, `where` takes many times longer.
        base += version * ops.cast(per_image(drawn(operations, [word])), "int32")
    return look_up(table, per_image(rows) * (256 * 256) + base * 256 + pixels)


def _grey(pixels: Tensor) -> Tensor:
    """Returns grey values as Pillow computes them, int32 (batch, height, width, 1)."""
    if pixels.shape[3] != len(LUMA):
        return pixels
    weighted = [pixels[..., i : i + 1] * weight for i, weight in enumerate(LUMA)]
    return ops.right_shift(sum(weighted) + (1 << (LUMA_BITS - 1)), LUMA_BITS)


def _smooth(pixels: Tensor) -> Tensor:
    """Returns means of 3 by 3 pixels; the middle one counts five times.

    Pixels at the border stay as they are.
    """
    height, width = pixels.shape[1:3]
    if min(height, width) < 3:
        return pixels
    columns = pixels[:, :, :-2] + pixels[:, :, 1:-1] + pixels[:, :, 2:]
    sums = columns[:, :-2] + columns[:, 1:-1] + columns[:, 2:] + 4 * pixels[:, 1:-1, 1:-1]
    means = ops.floor_divide(2 * sums + 13, 26)
    changes = means - pixels[:, 1:-1, 1:-1]
    return pixels + ops.pad(changes, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _resample(images: Tensor, operations: Tensor, signs: Tensor, factor: float) -> Tensor:
    """Rotates, shears or translates each image: uint8 (batch, height, width, channels)."""
    height, width = images.shape[1:3]
    sources = [
        resampling(word, sign * factor, height, width) for word in MATRICES for sign in (-1, 1)
    ]
    first = np.zeros(len(OPERATIONS), np.int32)
    first[[NUMBERS[word] for word in MATRICES]] = 2 * np.arange(len(MATRICES))
    drawn = look_up(first, operations) + ops.where(signs > 0, 1, 0)

    def of_images(arrays: Iterable[np.ndarray]) -> Tensor:
        table = np.array([array.reshape(height, width) for array in arrays], np.int32)
        return look_up(table, drawn)

    sums = of_images(source.blank for source in sources)[..., None]
    for corner in range(4):
        places = of_images(source.places[corner] for source in sources)
        weights = of_images(source.weights[corner] for source in sources)
        sums += ops.cast(take_pixels(images, places), "int32") * weights[..., None]
    return ops.cast(ops.right_shift(sums, WEIGHT_BITS), "uint8")
