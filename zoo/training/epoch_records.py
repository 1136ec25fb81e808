"""What is kept of each epoch: a row of metrics, and which epoch is the best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from zoo import optimize
from zoo.training.observers import Observer

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
        row |= _without_nan(logs)
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

    Of epochs with an equal metric the one with the lower loss is better, of equal losses the one
    with the higher accuracy; of epochs equal in both, the earlier one.

    Args:
        monitor: as `train.monitor` of a recipe, but not `auto`.
        keep: called with the model when an epoch is the best so far.
        never_predicted: returns the classes that the epoch's validation predicted for no image.

    Attributes:
        epoch: of the best one, from 0; None: no validation loss was finite yet.
        values: its metrics of validation.
        unnamed: the classes that it predicted for no image.
        score: what `monitor` names, higher is better: a loss is negated.
    """

    STATE_NAME = "BestEpoch"  # In state files, also of derived classes.

    def __init__(
        self,
        monitor: str,
        keep: Callable[[keras.Model], None],
        never_predicted: Callable[[], Sequence[int]] = tuple,
    ) -> None:
        self.monitor = monitor
        self.keep = keep
        self.never_predicted = never_predicted
        self.unnamed: list[int] = []
        self.epoch: int | None = None
        self.values: Row = {}
        self._rank: tuple[float, float] | None = None

    @property
    def score(self) -> float | None:
        """Of the best epoch; None where there is none."""
        return None if self._rank is None else self._rank[0]

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Compares the epoch with the best one so far."""
        loss = -logs["val_loss"]
        by_loss = self.monitor == "val_loss"
        rank = (loss, logs["val_accuracy"]) if by_loss else (logs[self.monitor], loss)
        if not all(map(math.isfinite, rank)) or (self._rank is not None and rank <= self._rank):
            return
        self._rank, self.epoch = rank, epoch
        of_validation = {key: logs[key] for key in logs if key.startswith("val_")}
        self.values = _without_nan(of_validation)
        self.unnamed = list(self.never_predicted())
        self.keep(self.model)

    def get_state(self) -> dict[str, Any]:
        """The best epoch and what it reached."""
        return {
            "score": self._rank,
            "epoch": self.epoch,
            "values": self.values,
            "unnamed": self.unnamed,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state returned by `get_state`."""
        self._rank = None if state["score"] is None else tuple(state["score"])
        self.epoch, self.values = state["epoch"], state["values"]
        self.unnamed = state.get("unnamed", [])  # Files of older versions lack it.


def _without_nan(values: Row) -> Row:
    """The values as JSON can hold them: None for what is not finite."""
    return {key: value if math.isfinite(value) else None for key, value in values.items()}
