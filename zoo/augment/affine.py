"""Rotations, shears and translations of images, in integers.

As Pillow does it, each pixel is the weighted mean of four, rounded down. Weights are multiples of
2^-23, so that sums of products with pixels are exact in int32 and every device gives equal bits.
Of the pixels of noise, 1 in 25,000 differs from Pillow's, whose weights are float64, by one grey
level.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from zoo.augment.rng import Images

FILL_GREY = 128  # Value of pixels that come in from outside of the image.

WEIGHT_BITS = 23
ONE = 1 << WEIGHT_BITS

# (a, b, c, d, e, f): the result's pixel (x, y) is the image's (a x + b y + c, d x + e y + f), where
# the upper left pixel has its centre at (0.5, 0.5).
Matrix = tuple[float, float, float, float, float, float]


def _rotate(strength: float, height: int, width: int) -> Matrix:
    """Rotates about the centre, counterclockwise for positive strengths."""
    angle = math.radians(30 * strength)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = width / 2, height / 2
    return cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y


# Operation of RandAugment -> function(strength, height, width) -> matrix. The maxima are
# AutoAugment's: 30 degrees, a slope of 0.3, 150 of 331 pixels.
MATRICES: dict[str, Callable[[float, int, int], Matrix]] = {
    "rotate": _rotate,
    "shear_x": lambda s, height, width: (1, 0.3 * s, -0.15 * s * height, 0, 1, 0),
    "shear_y": lambda s, height, width: (1, 0, 0, 0.3 * s, 1, -0.15 * s * width),
    "translate_x": lambda s, height, width: (1, 0, 150 / 331 * s * width, 0, 1, 0),
    "translate_y": lambda s, height, width: (1, 0, 0, 0, 1, 150 / 331 * s * height),
}


@dataclass(frozen=True, eq=False)
class Resampling:
    """Where each pixel of a result comes from.

    A pixel is the sum of four pixels of the image times their weights, plus `blank`, all divided by
    2^23 and rounded down. Places are in reading order: row times width plus column.

    Args:
        places: int64 (4, height * width), place of the upper left, upper right, lower left and
            lower right pixel.
        weights: int32 (4, height * width), which add up to 2^23, or to 0 outside of the image.
        blank: int32 (height * width,), the fill grey times 2^23 outside of the image, else 0.
    """

    places: np.ndarray
    weights: np.ndarray
    blank: np.ndarray


@lru_cache(maxsize=20)  # Two rotations, shears or translations of each kind, for two sizes.
def resampling(word: str, strength: float, height: int, width: int) -> Resampling:
    """Computes where the pixels come from in an operation of `MATRICES` on images of a size."""
    a, b, c, d, e, f = MATRICES[word](strength, height, width)
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    left, right, x_weight = _neighbours(x - 0.5, width)
    top, bottom, y_weight = _neighbours(y - 0.5, height)
    # Rounded so that none of the four is negative and they add up to 1.
    both = np.maximum(np.rint(x_weight * y_weight / ONE), x_weight + y_weight - ONE)
    weights = np.array(
        [ONE - x_weight - y_weight + both, x_weight - both, y_weight - both, both], np.int32
    )
    weights[:, outside] = 0
    places = [
        top * width + left,
        top * width + right,
        bottom * width + left,
        bottom * width + right,
    ]
    return Resampling(
        np.array(places).reshape(4, -1),
        weights.reshape(4, -1),
        np.where(outside, FILL_GREY * ONE, 0).astype(np.int32).ravel(),
    )


def _neighbours(positions: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds the pixels on both sides of positions along one axis.

    Returns:
        The pixels before and after, cut to the image, and the latter's weight times 2^23.
    """
    before = np.floor(positions)
    weights = np.rint((positions - before) * ONE)
    before = before.astype(np.int64)
    return before.clip(0, size - 1), (before + 1).clip(0, size - 1), weights


def resample(image: Images, word: str, strength: float) -> Images:
    """Applies an operation of `MATRICES` to one image.

    Args:
        image: uint8 (height, width, channels).
        word: key of `MATRICES`.
        strength: from -1 to 1.

    Returns:
        uint8 (height, width, channels).
    """
    height, width, channels = image.shape
    source = resampling(word, strength, height, width)
    planes = image.reshape(-1, channels).T.astype(np.int32, order="C")
    corners = planes.take(source.places, axis=1)
    corners *= source.weights
    sums = corners[:, 0] + source.blank
    for corner in (1, 2, 3):
        sums += corners[:, corner]
    sums >>= WEIGHT_BITS
    resampled: Images = sums.astype(np.uint8).T.reshape(image.shape)
    return resampled
