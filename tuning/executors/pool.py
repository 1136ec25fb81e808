"""What executors share: a fixed number of workers, each replaced when it dies or hangs. Light."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from tuning.executors.base import Event, Executor, Finished, Lost, Progress, Ready, Started
from tuning.executors.messages import Alive, Command, Keep, Reply, Run, Stop
from tuning.trials import TrialSpec
from zoo.errors import EnvironmentFault, Problem

SILENCE_SECONDS = 600.0  # A busy worker that is silent for longer counts as hung.
STARTUP_FACTOR = 6  # A worker that is not ready yet may be silent this many times as long.
HEARTBEAT_SECONDS = 0.5  # Between two messages of a worker on the progress of a trial.
MAX_HEARTBEATS = 200  # A second, of all workers: with more of them each sends fewer.
MAX_FAILED_STARTS = 3  # In a row.
MAX_NETWORKS = 60  # Per process: TensorFlow leaks some megabytes with each.


class Worker(ABC):
    """A worker and its state.

    Attributes:
        index: its number in the pool.
        last_exchange: monotonic time of the last message to or from it.
        exists: whether it has a process; on a cluster it may have to wait for a node.
        ready: whether it has loaded the data.
        trial: the trial that it runs or keeps; None if it does neither.
        last_trial: the trial whose model it holds.
        networks: number of networks that it has built.
    """

    def __init__(self, index: int, *, exists: bool = True) -> None:
        self.index = index
        self.last_exchange = time.monotonic()
        self.exists = exists
        self.ready = False
        self.trial: str | None = None
        self.last_trial: str | None = None
        self.networks = 0

    @property
    def idle(self) -> bool:
        """Whether it is ready and runs nothing."""
        return self.ready and self.trial is None

    @abstractmethod
    def send(self, command: Command) -> None:
        """Sends a command; a worker that has died is noticed when its replies are read."""

    def note(self, reply: Reply) -> None:
        """Updates the worker's state from a reply."""
        self.last_exchange = time.monotonic()
        match reply:
            case Ready():
                self.ready = True
            case Finished():
                self.networks = reply.networks
                self.trial = None
            case Alive() | Progress():
                pass
            case _:
                self.trial = None


W = TypeVar("W", bound=Worker)


class Pool(Executor, Generic[W]):
    """Runs trials on a fixed number of workers.

    A subclass starts workers, ends them and reads their replies.

    Args:
        capacity: number of workers.
        silence: seconds without a message after which a busy worker counts as hung.
    """

    def __init__(self, capacity: int, silence: float = SILENCE_SECONDS) -> None:
        self.capacity = capacity
        self._silence = silence
        self._workers: list[W] = []
        self._started: deque[Started] = deque()
        self._failed_starts = 0

    @property
    def heartbeat(self) -> float:
        """Seconds between two heartbeats of a worker.

        A message costs the search about a millisecond on a cluster, so that a thousand workers that
        sent two a second would take all of its time.
        """
        return min(max(HEARTBEAT_SECONDS, self.capacity / MAX_HEARTBEATS), self._silence / 4)

    @abstractmethod
    def _start_worker(self, index: int) -> None:
        """Starts a worker and appends it to `_workers`."""

    @abstractmethod
    def _end(self, worker: W, *, kill: bool) -> str:
        """Waits for the end of a worker; returns how it ended, for the user.

        Args:
            worker: it has died, was told to stop, or is to be killed.
            kill: whether to kill it.
        """

    @abstractmethod
    def _log_of(self, worker: W) -> tuple[str, list[str]]:
        """Returns where the log of an ended worker is, and its last lines."""

    @property
    def free(self) -> int:
        """Number of workers that are ready and run nothing."""
        return sum(worker.idle for worker in self._workers)

    @property
    def ready(self) -> int:
        """Number of workers that have loaded the data."""
        return sum(worker.ready for worker in self._workers)

    def submit(self, spec: TrialSpec) -> None:
        """Gives a trial to the first free worker.

        Raises:
            RuntimeError: no worker is free.
        """
        worker = next((worker for worker in self._workers if worker.idle), None)
        if worker is None:
            raise RuntimeError(f"no worker is free for trial {spec.trial}")
        worker.trial = worker.last_trial = spec.trial
        worker.send(Run(spec=spec))
        self._started.append(Started(trial=spec.trial))

    def keep(self, trial: str, folder: Path) -> None:
        """Lets the worker of a finished trial write its run folder.

        Raises:
            RuntimeError: no free worker holds the trial.
        """
        holders = [worker for worker in self._workers if worker.idle and worker.last_trial == trial]
        if not holders:
            raise RuntimeError(f"no worker holds trial {trial}")
        holders[0].trial = trial
        holders[0].send(Keep(folder=str(folder)))

    def _starts(self) -> Iterator[Event]:
        """Yields `Started` for each trial that was submitted since the last call."""
        while self._started:
            yield self._started.popleft()

    def _events_of(self, worker: W, replies: Iterable[Reply]) -> Iterator[Event]:
        """Yields the replies of a worker; restarts it when it has built many networks."""
        for reply in replies:
            worker.note(reply)
            if isinstance(reply, Ready):
                self._failed_starts = 0
            if not isinstance(reply, Alive):
                yield reply
        # The caller has decided by now whether the last trial is kept.
        if worker.idle and worker.networks > MAX_NETWORKS:
            worker.send(Stop())
            self._replace(worker)  # No trial was lost, so there is nothing to report.

    def _hung(self) -> Iterator[Event]:
        """Replaces each worker that has been silent for too long."""
        for worker in list(self._workers):
            limit = self._silence if worker.ready else STARTUP_FACTOR * self._silence
            silent = time.monotonic() - worker.last_exchange
            if worker.exists and silent > limit and not worker.idle:
                yield self._replace(worker, silent_seconds=limit)

    def _replace(self, worker: W, silent_seconds: float | None = None) -> Lost:
        """Starts another worker in a worker's place.

        Args:
            worker: it has died, was told to stop, or hangs.
            silent_seconds: how long a worker that hangs was silent; it is killed.

        Raises:
            EnvironmentFault: several workers in a row died before they were ready.
        """
        self._workers.remove(worker)
        reason = self._end(worker, kill=silent_seconds is not None)
        if silent_seconds is not None:
            reason = f"was silent for {silent_seconds:.0f} s"
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                where, lines = self._log_of(worker)
                raise EnvironmentFault(
                    f"workers do not start: the last one {reason}. Its log, {where}, ends:",
                    [Problem(message=line) for line in lines],
                )
        self._start_worker(worker.index)
        return Lost(worker=str(worker.index), reason=reason, trial=worker.trial)
