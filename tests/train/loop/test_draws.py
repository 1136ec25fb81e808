"""Draws of steps, made ahead within a bound of memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zoo.train.loop.draws import MOST_BYTES, MOST_STEPS, DrawsAhead, steps_together


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


@pytest.mark.parametrize("together", [1, 3, 64])
@pytest.mark.parametrize("first", [0, 5])
def test_each_step_gets_its_own(together: int, first: int) -> None:
    """Wherever a training begins, and no more than two blocks are held."""
    batches: Any = SimpleNamespace(draws=lambda step: {"step": step})
    ahead = DrawsAhead(batches, together)
    try:
        for step in range(first, first + 70):
            assert ahead(step) == {"step": step}
            assert len(ahead._blocks) <= 2
    finally:
        ahead.close()


def test_an_error_reaches_who_asks() -> None:
    """What goes wrong in the thread is raised where the draws are asked for."""

    def failing(step: int) -> Any:
        raise MemoryError("no room for noise")

    batches: Any = SimpleNamespace(draws=failing)
    ahead = DrawsAhead(batches, 4)
    with pytest.raises(MemoryError, match="no room for noise"):
        ahead(0)
    ahead.close()
