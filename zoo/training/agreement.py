"""What processes that train together decide as one: where to stop, and whether to end.

All of them compute the same losses, so what follows from losses is the same everywhere. Time,
signals and the user's own callbacks, which may look at a clock, are not: at each stop the processes
exchange them. Process 0 says how many steps there are to the next stop. A signal that any of them
received, and a callback that ends the training in any of them, end that of all at the same step.
"""

from __future__ import annotations

import signal

from zoo.backend import process_arrays, processes
from zoo.training.interrupts import Signals

SECONDS_BETWEEN_STOPS = 1.0  # A signal waits this long at most.
FIRST_STOPS = (1, 8)  # Steps before the time of a step is known.
_MOST_STEPS = 2**30


class Agreement:
    """The stops of one process of several.

    Args:
        signals: of this process.

    Attributes:
        received: name of the signal that all processes know of; None: none came.
        steps: from the last stop to the next one at which time alone makes them stop.
    """

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        self.received: str | None = None
        self.steps = FIRST_STOPS[0]
        self._measured = 0
        self._seconds_per_step: float | None = None

    def measure(self, steps: int, seconds: float) -> None:
        """Notes how long steps took; the first ones are left out, which programs are compiled in.

        Args:
            steps: made since the last stop.
            seconds: that they took.
        """
        if not steps:
            return
        self._measured += 1
        if self._measured > len(FIRST_STOPS):
            self._seconds_per_step = seconds / steps

    def agree(self, ends: bool) -> bool:
        """Exchanges signals and times with the other processes; all of them call it at a stop.

        Args:
            ends: whether a callback of this process has ended the training.

        Returns:
            Whether a callback of any process has.
        """
        own = self.signals.received
        number = signal.Signals[own].value if own else 0
        rows = process_arrays.gather([number, self._proposal(), int(ends)])
        numbers = [number for number, _, _ in rows if number]
        self.received = signal.Signals(numbers[0]).name if numbers else None
        self.steps = rows[0][1]
        return any(ends for _, _, ends in rows)

    def _proposal(self) -> int:
        if self._seconds_per_step is None:
            return FIRST_STOPS[min(self._measured, len(FIRST_STOPS) - 1)]
        steps = SECONDS_BETWEEN_STOPS / max(self._seconds_per_step, 1e-9)
        return min(_MOST_STEPS, max(1, int(steps)))


def agreement(signals: Signals) -> Agreement | None:
    """The agreement of a training; None where one process trains alone.

    Args:
        signals: of this process.
    """
    return Agreement(signals) if processes.count() > 1 else None
