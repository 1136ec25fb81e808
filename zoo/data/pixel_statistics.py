"""Sums over the pixels of images, in integers: exact, so chunking and order do not matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLICE_BYTES = 2**20  # Images that are squared at once, at four times their size.


@dataclass(frozen=True, eq=False)
class PixelStatistics:
    """Sums over uint8 images; add two to join them.

    The sums are exact below 2**64, which the squares of some 10**14 pixels reach.

    Args:
        count: number of images.
        sums: uint64 (height, width, channels), sum of each pixel over the images.
        squares: uint64 (channels,), sum of squares of each channel over images and pixels.
    """

    count: int
    sums: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> PixelStatistics:
        """Computes the sums of uint8 images (n, height, width, channels)."""
        sums = images.sum(axis=0, dtype=np.uint64)
        squares = np.zeros(images.shape[-1], np.uint64)
        step = max(1, SLICE_BYTES // max(1, sums.size))
        for start in range(0, len(images), step):
            wide = images[start : start + step].astype(np.uint32)
            squares += np.square(wide).sum(axis=(0, 1, 2), dtype=np.uint64)
        return cls(len(images), sums, squares)

    def __add__(self, other: PixelStatistics) -> PixelStatistics:
        return PixelStatistics(
            self.count + other.count, self.sums + other.sums, self.squares + other.squares
        )
