"""The random draws of steps, made ahead in a thread, so many steps at a time as memory allows."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from zoo.batches import Batches

MOST_STEPS = 64  # Steps that are drawn, and handed to the program, together.
# Their bytes. Noise of random_erasing is as large as the images: 38 MB a step for 256 images of
# 224 x 224 pixels. Up to two blocks of draws are on the host, and a third is on its way to the
# device.
MOST_BYTES = 2**26


def steps_together(draws: Any) -> int:
    """How many steps are drawn, and handed to the program, together.

    Args:
        draws: of one step of a full batch, a tree of numpy arrays.

    Returns:
        1 to `MOST_STEPS`, a function of the draws' shapes and dtypes alone.
    """
    size = sum(np.asarray(leaf).nbytes for leaf in keras.tree.flatten(draws))
    return min(MOST_STEPS, max(1, MOST_BYTES // max(size, 1)))


class DrawsAhead:
    """Draws of steps, made in a thread before they are asked for.

    Args:
        batches: pure functions of the step.
        together: steps of a block, which is drawn at once.
    """

    def __init__(self, batches: Batches, together: int) -> None:
        self.batches = batches
        self.together = together
        self._pool = ThreadPoolExecutor(1, "draws")
        self._blocks: dict[int, Future[list[Any]]] = {}

    def __call__(self, step: int) -> Any:
        """The draws of a step, which is none before those asked for lately."""
        block, row = divmod(step, self.together)
        for number in (block, block + 1):
            if number not in self._blocks:
                self._blocks[number] = self._pool.submit(self._draw, number)
        self._blocks.pop(block - 1, None)
        return self._blocks[block].result()[row]

    def _draw(self, block: int) -> list[Any]:
        first = block * self.together
        return [self.batches.draws(step) for step in range(first, first + self.together)]

    def close(self) -> None:
        """Ends the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)
