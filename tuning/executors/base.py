"""The contract between a search and whatever runs its trials. Light.

An executor owns the workers. It starts them, replaces those that die or hang, and restarts those
that have built many networks, since TensorFlow leaks memory with each. It decides nothing about the
search: the scheduler decides which trial runs next, which is run again and which model is kept.

For another executor, such as actors on many hosts (`tuning.search` makes the executor of a search):

- A worker loads the recipe's data once and says `Ready`; it trains one trial at a time with
  `tuning.trial_trainer.TrialTrainer`.
- A lost trial is never run again by the executor (with Ray: `max_restarts=0, max_task_retries=0`):
  it reports `Lost`, and the scheduler decides after how many lost workers a trial has failed.
- A worker on a frozen host raises no error. The executor itself counts a worker that is silent for
  too long as lost, and ends it, so that a trial never runs twice at the same time.
- `keep` writes the run folder where the search can read it. A worker without a shared disk sends
  the files back.
- `stop` ends every process that the executor started.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tuning.trials import TrialResult, TrialSpec


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A worker has loaded the data and waits for trials.

    Attributes:
        fingerprint: fingerprint of the data, in hexadecimal digits.
        train: number of training images; likewise `validation`.
        classes: number of classes.
        notes: remarks on the data, for the user.
        backend: Keras's backend.
        device: what the worker trains on.
        versions: versions of the libraries that affect results, by name.
        monitor: what selects the best epoch of the recipe, on these data.
        balanced_images: see `zoo.checks.judge.chance`, of the validation images; None: unknown.
        multi_label: whether images have any number of classes.
    """

    fingerprint: str
    train: int
    validation: int
    classes: int
    notes: Sequence[str]
    backend: str
    device: str
    versions: Mapping[str, str]
    monitor: str = "val_accuracy"
    balanced_images: float | None = None
    multi_label: bool = False


@dataclass(frozen=True, kw_only=True)
class Started:
    """A worker was given a trial."""

    trial: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A trial has completed `step` of `steps`."""

    trial: str
    step: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A trial has ended. Its model can be kept until the next `submit`.

    Attributes:
        trial: its name.
        result: its measurements.
        networks: number of networks that the worker has built so far.
    """

    trial: str
    result: TrialResult
    networks: int = 0


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The run folder of a finished trial is written."""

    trial: str


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A worker died or hung, and is replaced.

    Attributes:
        worker: its name.
        reason: how it ended, for the user.
        trial: the trial that it was running or keeping; None if it was idle.
    """

    worker: str
    reason: str
    trial: str | None


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A worker met an error that would meet every trial, such as missing data: the search ends."""

    error: Exception


Event = Ready | Started | Progress | Finished | Kept | Lost | Failed


class Executor(ABC):
    """Runs trials on workers. A context manager: `start` on entry, `stop` on exit.

    Attributes:
        capacity: number of workers, and so of trials at the same time.
    """

    capacity: int

    @abstractmethod
    def start(self) -> None:
        """Starts the workers. Returns at once: each says `Ready` when it has loaded the data."""

    @abstractmethod
    def stop(self) -> None:
        """Ends all workers, whatever they are doing."""

    @property
    @abstractmethod
    def free(self) -> int:
        """Number of workers that are ready and run nothing."""

    @abstractmethod
    def submit(self, spec: TrialSpec) -> None:
        """Gives a trial to a free worker.

        `Started` follows, then `Progress` now and then, and at the end exactly one `Finished` or
        `Lost`, unless `Failed` ends the search.

        Raises:
            RuntimeError: no worker is free.
        """

    @abstractmethod
    def keep(self, trial: str, folder: Path) -> None:
        """Writes the run folder of a trial that has just `Finished`; `Kept` or `Lost` follows.

        Call it before the next `submit`, and before the next event is taken from `events`.

        Args:
            trial: its name.
            folder: where the run folder goes.

        Raises:
            RuntimeError: no free worker holds the trial.
        """

    @abstractmethod
    def events(self, timeout: float) -> Iterator[Event]:
        """Yields what has happened; waits up to `timeout` seconds for the first event.

        Raises:
            EnvironmentFault: the workers cannot be started.
        """

    def __enter__(self) -> Self:
        """Starts the workers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the workers."""
        self.stop()
