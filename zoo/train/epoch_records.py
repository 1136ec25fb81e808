"""What is kept of each epoch: a row of metrics, and which epoch is the best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from zoo import optimize
from zoo.rundir import Run, atomic_write
from zoo.train.observers import Observer

Row = dict[str, Any]


class MetricsLogger(Observer):
    """Makes a row of metrics per epoch: epoch, step, metrics, learning rate.

    Args:
        rows: rows of earlier epochs.
        write: called with all rows after each epoch.
        extra: more columns of an epoch's row.
        timed: whether a row ends with the seconds of its epoch.
    """

    def __init__(
        self,
        rows: Sequence[Row] = (),
        write: Callable[[list[Row]], None] | None = None,
        extra: Callable[[], Row] = dict,
        timed: bool = False,
    ) -> None:
        self.rows = list(rows)
        self.write = write
        self.extra = extra
        self.timed = timed

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Adds the epoch's row; a metric that is not finite is None there."""
        row: Row = {"epoch": epoch + 1, "step": self.counter.step}
        row |= {key: value if math.isfinite(value) else None for key, value in logs.items()}
        row |= {
            "learning_rate": optimize.current_learning_rate(self.model.optimizer),
            **self.extra(),
        }
        if self.timed:
            row["seconds"] = round(time.perf_counter() - self.counter.epoch_started, 3)
        self.rows.append(row)
        if self.write is not None:
            self.write(self.rows)


class BestEpoch(Observer):
    """Finds the epoch with the best validation, and keeps its model.

    Of equal accuracies the lower loss is better, of equal losses the higher accuracy; of epochs
    equal in both, the earlier one.

    Args:
        monitor: `val_accuracy` or `val_loss`.
        keep: called with the model when an epoch is the best so far.

    Attributes:
        epoch: of the best one, from 0; None: no validation loss was finite yet.
        values: its val_accuracy and val_loss.
        score: what `monitor` names, higher is better: an accuracy, or a loss's negative.
    """

    def __init__(self, monitor: str, keep: Callable[[keras.Model], None]) -> None:
        self.monitor = monitor
        self.keep = keep
        self.epoch: int | None = None
        self.values: dict[str, float] = {}
        self._rank: tuple[float, float] | None = None

    @property
    def score(self) -> float | None:
        """Of the best epoch; None where there is none."""
        return None if self._rank is None else self._rank[0]

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Compares the epoch with the best one so far."""
        accuracy, loss = logs["val_accuracy"], -logs["val_loss"]
        rank = (accuracy, loss) if self.monitor == "val_accuracy" else (loss, accuracy)
        if not all(map(math.isfinite, rank)) or (self._rank is not None and rank <= self._rank):
            return
        self._rank, self.epoch = rank, epoch
        self.values = {key: logs[key] for key in ("val_accuracy", "val_loss")}
        self.keep(self.model)

    def get_state(self) -> dict[str, Any]:
        """The best epoch and what it reached."""
        return {"score": self._rank, "epoch": self.epoch, "values": self.values}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state returned by `get_state`."""
        self._rank = None if state["score"] is None else tuple(state["score"])
        self.epoch, self.values = state["epoch"], state["values"]


def best_checkpoint(run: Run, monitor: str) -> BestEpoch:
    """Keeps the model of the best epoch in the run's best.keras."""
    return BestEpoch(monitor, lambda model: save_bare(model, run))


def save_bare(model: keras.Model, run: Run, name: str | None = None) -> None:
    """Saves a model without optimizer, loss and metrics as a run's best.keras, replacing it.

    Args:
        model: built.
        run: run folder.
        name: name of the saved model; None for that of `model`.
    """
    # Another model around the same layers.
    bare = keras.Model(model.inputs, model.outputs, name=name or model.name)
    with atomic_write(run.model_file) as aside:
        bare.save(aside)
