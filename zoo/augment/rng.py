"""What the changes of a batch are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Images = np.ndarray  # uint8 (batch, height, width, channels)


@dataclass(frozen=True, eq=False)
class AugmentRng:
    """One batch's draws: with the same seed and step, the same bits.

    Args:
        rng: the step's own generator.
        seed: the run's seed, for what is drawn once in a run.
        epoch: counted from 0.
        indices: which image of the split each image of the batch is.
    """

    rng: np.random.Generator
    seed: int
    epoch: int
    indices: np.ndarray


def per_image(values: np.ndarray) -> np.ndarray:
    """(batch,) as (batch, 1, 1, 1), to meet whole images."""
    return values[:, None, None, None]
