"""The random draws of one batch's augmentations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Images = np.ndarray  # uint8 (batch, height, width, channels)
Shape = tuple[int, int, int, int]  # Of images: batch, height, width, channels.

# What one augmentation draws for a batch. The first axis of every array is the batch, so the draws
# of many steps can be stacked.
Draws = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class AugmentRng:
    """Source of the random draws for one batch: equal seed and step give equal bits.

    Args:
        generator: numpy generator of this step alone.
        seed: seed of the run, for draws that are made once a run.
        epoch: epoch of the step, counted from 0.
        indices: int (batch,), index in the split of each image of the batch.
    """

    generator: np.random.Generator
    seed: int
    epoch: int
    indices: np.ndarray


def uniform(rng: AugmentRng, factor: Any, count: int) -> np.ndarray:
    """Draws a number an image from a range, or from -f to f if the factor is a number f."""
    low, high = factor if isinstance(factor, tuple) else (-factor, factor)
    return rng.generator.uniform(low, high, count)


def per_image(values: np.ndarray) -> np.ndarray:
    """Reshapes (batch,) to (batch, 1, 1, 1), which broadcasts against images."""
    return values[:, None, None, None]
