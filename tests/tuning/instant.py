"""An executor that trains nothing and starts no process, for tests of the search itself."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.tuning import stand_in
from tuning.executors.base import Event, Executor, Finished, Kept, Lost, Started
from tuning.trials import TrialSpec
from zoo.rundir import Search


class InstantExecutor(Executor):
    """Finishes each trial at once, with the scores of `stand_in`. Takes LocalExecutor's arguments.

    A trial with a learning rate above STAND_IN_DIES_ABOVE, in the environment, loses its worker.
    """

    def __init__(
        self, folder: Search, capacity: int, overrides: Sequence[str] = (), silence: float = 0
    ) -> None:
        self.capacity = capacity
        self._dies_above = float(os.environ.get("STAND_IN_DIES_ABOVE", "inf"))
        self._events: deque[Event] = deque()
        self._running: set[str] = set()
        self._last = ""

    def start(self) -> None:
        self._events.extend(stand_in.ready() for _ in range(self.capacity))

    def stop(self) -> None:
        self._running.clear()
        self._events.clear()

    @property
    def free(self) -> int:
        return self.capacity - len(self._running)

    def submit(self, spec: TrialSpec) -> None:
        assert self.free, "a trial was submitted to a busy executor"
        self._running.add(spec.trial)
        self._events.append(Started(trial=spec.trial))
        if spec.values[stand_in.RATE] > self._dies_above:
            self._events.append(Lost(worker="0", reason="killed by signal 9", trial=spec.trial))
        else:
            self._events.append(Finished(trial=spec.trial, result=stand_in.train(spec)))

    def keep(self, trial: str, folder: Path) -> None:
        assert trial == self._last, "a model was asked for that no worker holds any more"
        self._running.add(trial)
        stand_in.keep(folder)
        self._events.append(Kept(trial=trial))

    def events(self, timeout: float) -> Iterator[Event]:
        for _ in range(len(self._events)):
            event = self._events.popleft()
            if isinstance(event, Finished | Kept | Lost) and event.trial is not None:
                self._running.discard(event.trial)
                self._last = event.trial
            yield event
