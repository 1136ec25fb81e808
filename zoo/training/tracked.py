"""Tells trackers of a training (`zoo.trackers`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zoo.rundir import Run
from zoo.trackers.names import ChosenTrackers
from zoo.trackers.session import Tracking
from zoo.training.epoch_records import MetricsLogger
from zoo.training.observers import Observer
from zoo.training.settings import TrainingSettings


class TrackedEpochs(Observer):
    """Tells trackers that an epoch has ended. Comes after the logger that wrote its row.

    Args:
        tracking: the trackers.
        metrics: has the rows.
    """

    def __init__(self, tracking: Tracking, metrics: MetricsLogger) -> None:
        self.tracking = tracking
        self.metrics = metrics

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Tells of the rows; nobody waits for a server."""
        self.tracking.update(self.metrics.rows)


@contextmanager
def tracked(run: Run, settings: TrainingSettings) -> Iterator[Tracking]:
    """Yields the trackers of a training, which are told that it begins.

    Args:
        run: the run; of processes that train together, one tells of it.
        settings: with trackers that the caller ends, or with `tensorboard`.
    """
    if settings.tracking is not None:
        if run.owned:
            settings.tracking.begin(run)
        yield settings.tracking
        return
    with Tracking(settings.print_note) as own:
        if settings.tensorboard and run.owned:
            own.start(ChosenTrackers(("tensorboard",)))
            own.begin(run)
        yield own
