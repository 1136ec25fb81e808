"""The order of a pass over images that lie in shards: shuffled, and yet read almost in a row."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class WindowOrder:
    """Shuffles shards, then images within windows of the row that the shards make.

    An order is drawn in three steps: the shards are permuted; the row of their images is cut into
    windows, the first one at a place drawn at random, so that windows differ from pass to pass; and
    each window is permuted. So the images of a window come from `window / images of a shard` shards
    and at most two parts of others, and each image comes exactly once. With a window of all images
    the order is a plain permutation.

    Args:
        starts: int (shards,), index of the first image of each shard, rising from 0.
        count: number of images.
        window: images of a window, at least 1.
    """

    starts: np.ndarray
    count: int
    window: int

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Draws the order of a pass: int (count,), each index once.

        Args:
            generator: keyed by the seed and the pass.
        """
        if self.window >= self.count:
            return generator.permutation(self.count)
        ends = np.append(self.starts[1:], self.count)
        shards = generator.permutation(len(self.starts))
        row = np.concatenate([np.arange(self.starts[i], ends[i]) for i in shards])
        first = int(generator.integers(1, self.window + 1))
        cuts = [0, *range(first, self.count, self.window), self.count]
        for start, end in itertools.pairwise(cuts):
            generator.shuffle(row[start:end])
        return row
