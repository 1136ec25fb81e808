"""Sums over training images, in integers: exact, hence the same for every chunking and order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.data.splits import Split

CHUNK_BYTES = 16 * 2**20  # read at once
SLICE_BYTES = 2**20  # squared at once, at four times the size


@dataclass(frozen=True, eq=False)
class Statistics:
    """`count` images; `sums` uint64 (height, width, channels); `squares` uint64 (channels,).

    Both are exact up to 2**64: for 8 bits, the squares of some 10**14 pixels.
    """

    count: int
    sums: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray) -> Statistics:
        """Of uint8 images (n, height, width, channels), held in memory at once."""
        sums = images.sum(axis=0, dtype=np.uint64)
        squares = np.zeros(images.shape[-1], np.uint64)
        step = max(1, SLICE_BYTES // max(1, sums.size))
        for start in range(0, len(images), step):
            wide = images[start : start + step].astype(np.uint32)
            squares += np.square(wide).sum(axis=(0, 1, 2), dtype=np.uint64)
        return cls(len(images), sums, squares)

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.count + other.count, self.sums + other.sums, self.squares + other.squares
        )


def measure(split: Split) -> Statistics:
    """The statistics of a split: those that it knows, else taken in chunks of some 16 MB.

    Raises:
        ValueError: the split is empty.
    """
    if split.statistics is not None:
        return split.statistics
    if not len(split):
        raise ValueError("no statistics of an empty split")
    total = Statistics.of(split.images(np.arange(1)))
    chunk = max(1, CHUNK_BYTES // max(1, total.sums.size))
    for start in range(1, len(split), chunk):
        total += Statistics.of(split.images(np.arange(start, min(start + chunk, len(split)))))
    return total
