"""How far the clocks of two processes are apart. Light.

As NTP does it, with one stamp of the other side: the asker notes its time, the answerer replies
with its own, the asker notes its time again. The answer was stamped in between, so that the
difference is known to half of the round trip. The shortest of several round trips is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

ROUNDS = 8


class Board(Protocol):
    """Where processes leave texts for each other."""

    def put(self, key: str, text: str) -> None:
        """Leaves a text under a key that has none."""

    def get(self, key: str) -> str:
        """Waits for the text of a key."""


def ask(board: Board, name: str, clock: Callable[[], float] = time.time) -> dict[str, float]:
    """Compares this process's clock with the one of the process that calls `answer`.

    Args:
        board: between both.
        name: of the comparison, the same on both sides.
        clock: seconds since an epoch.

    Returns:
        seconds: this clock minus the other; uncertainty: half of the round trip, in seconds.
    """
    samples = []
    for index in range(ROUNDS):
        start = clock()
        board.put(f"{name}/ask/{index}", "")
        other = float(board.get(f"{name}/answer/{index}"))
        samples.append((start, other, clock()))
    return difference(samples)


def answer(board: Board, name: str, clock: Callable[[], float] = time.time) -> None:
    """Answers the process that calls `ask` with this process's time."""
    for index in range(ROUNDS):
        board.get(f"{name}/ask/{index}")
        board.put(f"{name}/answer/{index}", repr(clock()))


def difference(samples: Iterable[tuple[float, float, float]]) -> dict[str, float]:
    """Returns what `ask` returns.

    Args:
        samples: own time before, the other's time, own time after, of each round trip.
    """
    start, other, end = min(samples, key=lambda sample: sample[2] - sample[0])
    return {"seconds": (start + end) / 2 - other, "uncertainty": (end - start) / 2}
