"""Draws of steps, within a bound of memory."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.training.loop.draws import MOST_BYTES, MOST_STEPS, steps_together


@pytest.mark.parametrize(
    "batch, pixels, expected",
    [
        (1, 0, MOST_STEPS),
        (256, 8 * 8, MOST_STEPS),
        (1024, 32 * 32 * 3, 21),
        (256, 224 * 224 * 3, 1),
    ],
)
def test_how_many_steps_are_drawn_together(batch: int, pixels: int, expected: int) -> None:
    """As many as fit into `MOST_BYTES`, at least one."""
    noise = np.empty((batch, pixels), np.uint8)
    step = {"indices": np.empty(batch, np.int32), "augment": [{"noise": noise}, {}]}
    count = steps_together(step)
    assert count == expected
    assert count == 1 or count * (noise.nbytes + 4 * batch) <= MOST_BYTES
