"""Which epoch is the best, and the row of each."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.training.epoch_records import BestEpoch, MetricsLogger
from zoo.training.observers import StepCounter

EPOCHS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.1, 0.2, math.nan, math.inf])),
    max_size=6,
)


def watch(best: BestEpoch, epochs: list[tuple[float, float]]) -> list[int]:
    """Shows epochs of (accuracy, loss) to the rule; returns those whose model it kept."""
    kept: list[int] = []
    model: Any = SimpleNamespace()
    best.attach(model, StepCounter(1, len(epochs)))
    best.keep = lambda model: kept.append(best.epoch or 0)
    for epoch, (accuracy, loss) in enumerate(epochs):
        best.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
    return kept


@given(EPOCHS, st.sampled_from(["val_accuracy", "val_loss"]))
def test_best_epoch(epochs: list[tuple[float, float]], monitor: str) -> None:
    """The first of the best ones with a finite loss; a model is kept whenever it changes."""
    best = BestEpoch(monitor, lambda model: None)
    kept = watch(best, epochs)
    finite = [(i, accuracy, loss) for i, (accuracy, loss) in enumerate(epochs) if loss < 1]
    if not finite:
        assert (best.epoch, best.score, kept) == (None, None, [])
        return
    rank = (lambda e: (e[1], -e[2])) if monitor == "val_accuracy" else (lambda e: (-e[2], e[1]))
    epoch, accuracy, loss = max(finite, key=rank)
    assert best.epoch == epoch == kept[-1]
    assert best.values == {"val_accuracy": accuracy, "val_loss": loss}
    assert best.score == (accuracy if monitor == "val_accuracy" else -loss)


def test_best_epoch_goes_on_where_a_state_left_it() -> None:
    first = BestEpoch("val_accuracy", lambda model: None)
    watch(first, [(0.5, 0.3), (0.9, 0.2)])
    second = BestEpoch("val_accuracy", lambda model: None)
    second.set_state(first.get_state())
    assert watch(second, [(0.9, 0.2)]) == []
    assert second.epoch == 1


def test_a_row() -> None:
    """What is not finite is None; other columns come after the rate."""
    written: list[Any] = []
    logger = MetricsLogger([{"epoch": 1}], written.append, lambda: {"extra": 5})
    model: Any = SimpleNamespace(optimizer=keras.optimizers.SGD(0.25))
    logger.attach(model, StepCounter(5, 2, 10))
    logger.on_epoch_end(1, {"loss": math.nan, "accuracy": 0.5})
    row = {
        "epoch": 2, "step": 10, "loss": None, "accuracy": 0.5, "learning_rate": 0.25, "extra": 5
    }  # fmt: skip
    assert written == [[{"epoch": 1}, row]]
    assert list(written[0][1]) == list(row)


@pytest.mark.parametrize("timed", [False, True])
def test_seconds_are_the_last_column(timed: bool) -> None:
    logger = MetricsLogger(timed=timed)
    model: Any = SimpleNamespace(optimizer=keras.optimizers.SGD(0.25))
    logger.attach(model, StepCounter(5, 2))
    logger.on_epoch_end(0, {})
    assert (list(logger.rows[0])[-1] == "seconds") == timed
