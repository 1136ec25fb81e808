"""Sums over the pixels of images, in integers: exact, so chunking and order do not matter.

Histograms of measures of single images are counted in the same pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.datasets.content import image_ranges

SLICE_BYTES = 2**20  # Images that are squared at once, at twice their size.
EXACT_IN_16_BITS = 257  # 257 * 255 is 2**16 - 1.
EXACT_IN_32_BITS = 2**16  # Rows of squares below 2**16.


@dataclass(frozen=True, eq=False)
class PixelStatistics:
    """Sums over uint8 images; add two to join them.

    The sums are exact below 2**64, which the squares of some 10**14 pixels reach.

    Args:
        count: number of images.
        sums: uint64 (height, width, channels), sum of each pixel over the images.
        squares: uint64 (channels,), sum of squares of each channel over images and pixels.
        histograms: of `zoo.datasets.content.image_ranges`: images counted by mean, spread and hue.
    """

    count: int
    sums: np.ndarray
    squares: np.ndarray
    histograms: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> PixelStatistics:
        """Computes the sums of uint8 images (n, height, width, channels)."""
        image_sums = np.empty((len(images), images.shape[-1]), np.uint64)
        image_squares = np.empty_like(image_sums)
        sums = np.zeros(images.shape[1:], np.uint64)
        for start in range(0, len(images), EXACT_IN_16_BITS):
            # In 16 bits, which is several times quicker than in 64.
            sums += images[start : start + EXACT_IN_16_BITS].sum(axis=0, dtype=np.uint16)
        step = max(1, SLICE_BYTES // max(1, sums.size))
        for start in range(0, len(images), step):
            part = images[start : start + step]
            image_sums[start : start + step] = _over_pixels(part)
            image_squares[start : start + step] = _over_pixels(
                np.multiply(part, part, dtype=np.uint16)
            )
        pixels = images.shape[1] * images.shape[2]
        measures = image_ranges.of_sums(image_sums, image_squares, pixels)
        return cls(
            len(images), sums, image_squares.sum(axis=0), image_ranges.histograms(measures)
        )  # fmt: skip

    def __add__(self, other: PixelStatistics) -> PixelStatistics:
        return PixelStatistics(
            self.count + other.count,
            self.sums + other.sums,
            self.squares + other.squares,
            self.histograms + other.histograms,
        )

    def __sub__(self, other: PixelStatistics) -> PixelStatistics:
        """Takes out images that were added before."""
        return PixelStatistics(
            self.count - other.count,
            self.sums - other.sums,
            self.squares - other.squares,
            self.histograms - other.histograms,
        )


def _over_pixels(values: np.ndarray) -> np.ndarray:
    """Sums values below 2**16, (n, height, width, channels), over the pixels: uint64 (n, channels).

    Along the height in 32 bits, which is quicker than in 64.
    """
    total = np.zeros((len(values), values.shape[-1]), np.uint64)
    for start in range(0, values.shape[1], EXACT_IN_32_BITS):
        columns = values[:, start : start + EXACT_IN_32_BITS].sum(axis=1, dtype=np.uint32)
        total += columns.sum(axis=1, dtype=np.uint64)
    return total
