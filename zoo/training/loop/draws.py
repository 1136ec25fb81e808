"""How many steps are drawn together, so that their draws take a bounded part of memory."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

MOST_STEPS = 64  # Steps that are drawn, and handed to the program, together.
# Their bytes. Noise of random_erasing is as large as the images: 38 MB a step for 256 images of
# 224 x 224 pixels. Up to two blocks of draws are on the host, and a third is on its way to the
# device.
MOST_BYTES = 2**26


def rows_of(inputs: Any) -> int:
    """Images of a step, given what a program needs of the host for it."""
    return len(inputs["indices"] if "indices" in inputs else inputs["images"])


def steps_together(draws: Any) -> int:
    """How many steps are drawn, and handed to the program, together.

    Args:
        draws: of one step of a full batch, a tree of numpy arrays.

    Returns:
        1 to `MOST_STEPS`, a function of the draws' shapes and dtypes alone.
    """
    size = sum(np.asarray(leaf).nbytes for leaf in keras.tree.flatten(draws))
    return min(MOST_STEPS, max(1, MOST_BYTES // max(size, 1)))
