"""Sums over the pixels of images, in integers: exact, so chunking and order do not matter.

Histograms of measures of single images are counted in the same pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.data.content import image_ranges

SLICE_BYTES = 2**20  # Images that are squared at once, at four times their size.


@dataclass(frozen=True, eq=False)
class PixelStatistics:
    """Sums over uint8 images; add two to join them.

    The sums are exact below 2**64, which the squares of some 10**14 pixels reach.

    Args:
        count: number of images.
        sums: uint64 (height, width, channels), sum of each pixel over the images.
        squares: uint64 (channels,), sum of squares of each channel over images and pixels.
        histograms: of `zoo.data.content.image_ranges`: images counted by mean, spread and hue.
    """

    count: int
    sums: np.ndarray
    squares: np.ndarray
    histograms: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> PixelStatistics:
        """Computes the sums of uint8 images (n, height, width, channels)."""
        sums = images.sum(axis=0, dtype=np.uint64)
        image_sums = np.empty((len(images), images.shape[-1]), np.uint64)
        image_squares = np.empty_like(image_sums)
        step = max(1, SLICE_BYTES // max(1, sums.size))
        for start in range(0, len(images), step):
            wide = images[start : start + step].astype(np.uint32)
            image_sums[start : start + step] = wide.sum(axis=(1, 2), dtype=np.uint64)
            np.square(wide, out=wide)
            image_squares[start : start + step] = wide.sum(axis=(1, 2), dtype=np.uint64)
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
