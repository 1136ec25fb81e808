"""Gaussian blur, in integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Draws, Images, Shape, per_image
from zoo.augment.warp import BLOCK_PIXELS

# An image's weights are multiples of 2^-15 and add up to 1. After the columns, values keep 8 bits
# after the point; so all products and sums are below 2^31.
WEIGHT_BITS = 15
ONE = 1 << WEIGHT_BITS
KEPT_BITS = 8


def draw_gaussian_blur(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws which images are blurred and each one's standard deviation, and makes its weights.

    Returns:
        int32 (batch, kernel_size) `weights` in units of 2^-15, with a single 1 in images that stay
        as they are.
    """
    count, middle = shape[0], options.kernel_size // 2
    low, high = options.sigma
    sigma = rng.generator.uniform(low, high, count)
    blurred = rng.generator.random(count) < options.factor
    distances = np.arange(-middle, middle + 1)
    bell = np.exp(-0.5 * (distances / sigma[:, None]) ** 2)
    weights = np.rint(ONE * bell / bell.sum(axis=1, keepdims=True)).astype(np.int32)
    weights[~blurred] = 0
    weights[:, middle] += ONE - weights.sum(axis=1, dtype=np.int32)
    return {"weights": weights}


def gaussian_blur(images: Images, options: Any, draws: Draws) -> Images:
    """Averages each image's rows and then its columns with its weights.

    The image goes on as its mirror image beyond its outermost pixels (dcb|abcd|cba), as in
    torchvision; Keras's layer puts black there. Values are rounded, halves up. Source: the weights
    are those of torchvision's GaussianBlur and Keras's RandomGaussianBlur.
    """
    rows, columns = (mirrored(size, options.kernel_size) for size in images.shape[1:3])
    blurred = np.empty_like(images)
    block = max(1, BLOCK_PIXELS // (images.shape[1] * images.shape[2]))
    for first in range(0, len(images), block):
        part = slice(first, first + block)
        weights = draws["weights"][part]
        sums = _average(images[part].astype(np.int32).take(rows, axis=1), weights, axis=1)
        sums += 1 << (WEIGHT_BITS - KEPT_BITS - 1)
        sums >>= WEIGHT_BITS - KEPT_BITS
        sums = _average(sums.take(columns, axis=2), weights, axis=2)
        sums += 1 << (WEIGHT_BITS + KEPT_BITS - 1)
        sums >>= WEIGHT_BITS + KEPT_BITS
        blurred[part] = sums
    return blurred


def mirrored(size: int, kernel_size: int) -> np.ndarray:
    """Returns the row of the image for each row of its padded copy: int32 (padded size,)."""
    return np.pad(np.arange(size, dtype=np.int32), kernel_size // 2, mode="reflect")


def _average(padded: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Sums neighbours along an axis times their weights: int32, shorter by kernel_size - 1."""
    kernel_size = weights.shape[1]
    size = padded.shape[axis] - kernel_size + 1
    views = np.moveaxis(padded, axis, 0)
    sums: np.ndarray = np.moveaxis(views[:size], 0, axis) * per_image(weights[:, 0])
    for i in range(1, kernel_size):
        sums += np.moveaxis(views[i : i + size], 0, axis) * per_image(weights[:, i])
    return sums
