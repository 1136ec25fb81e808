"""The contract between a loop and what watches a training."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from zoo.training import fit_callbacks as module
from zoo.training.fit_callbacks import FitCallbacks, StepLosses
from zoo.training.observers import Observer, StepCounter, StopTraining

STEPS, IMAGES = 6, 4


class OnDevice:
    """A loss that is not on the host yet; counts how often somebody waits for one."""

    waits = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        OnDevice.waits += 1
        return self.value


class Log(Observer):
    """Notes every event in one list that several share."""

    def __init__(self, name: str, events: list[Any], stops: Sequence[int] = ()) -> None:
        self.name = name
        self.events = events
        self.stops = stops

    def next_stop(self, step: int) -> int | None:
        return min((stop for stop in self.stops if stop > step), default=None)

    def on_train_begin(self) -> None:
        self.events.append((self.name, "train_begin"))

    def on_epoch_begin(self, epoch: int) -> None:
        self.events.append((self.name, "epoch_begin", epoch))

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        self.events.append((self.name, "steps", first, last, list(losses)))

    def on_validation_begin(self) -> None:
        self.events.append((self.name, "validation_begin"))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.events.append((self.name, "epoch_end", epoch, logs["val_loss"]))

    def after_stop(self) -> None:
        self.events.append((self.name, "after_stop"))

    def on_train_end(self) -> None:
        self.events.append((self.name, "train_end"))


class StepCallback(keras.callbacks.Callback):
    """A user's callback that looks at single steps."""

    def __init__(self, events: list[Any]) -> None:
        super().__init__()
        self.events = events

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.events.append(("user", batch, logs["loss"]))


def watched(
    observers: Sequence[Observer],
    callbacks: Sequence[keras.callbacks.Callback] = (),
    epochs: int = 1,
    first_step: int = 0,
) -> FitCallbacks:
    """Callbacks around a model that is never trained: `run` plays the part of Keras."""
    model: Any = SimpleNamespace(stop_training=False, optimizer=None)
    counter = StepCounter(STEPS, epochs, first_step)
    return FitCallbacks(observers, callbacks, model, counter, StepLosses(lambda step: IMAGES))


def run(fit: FitCallbacks, losses: Sequence[float], epochs: int = 1) -> list[int]:
    """Calls what `keras.Model.fit` calls; returns the number of steps of each epoch."""
    made = []
    fit.on_train_begin()
    for epoch in range(epochs):
        fit.on_epoch_begin(epoch)
        steps = 0
        for batch in range(len(losses)):
            fit.on_train_batch_begin(batch)
            fit.on_train_batch_end(batch, {"loss": OnDevice(float(np.mean(losses[: batch + 1])))})
            steps += 1
            if fit.model.stop_training:
                break
        made.append(steps)
        fit.on_test_begin()
        fit.on_test_end()
        fit.on_epoch_end(epoch, {"val_loss": 1.0})
        if fit.model.stop_training:
            break
    fit.on_train_end({})
    return made


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stop for time alone."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_STOPS", 1e9)
    OnDevice.waits = 0


def test_the_order_of_events() -> None:
    events: list[Any] = []
    run(watched([Log("a", events, [2]), Log("b", events)]), [3, 2, 1, 1, 1, 1])
    assert events == [
        ("a", "train_begin"), ("b", "train_begin"),
        ("a", "epoch_begin", 0), ("b", "epoch_begin", 0), ("a", "after_stop"), ("b", "after_stop"),
        ("a", "steps", 0, 1, [3.0, 2.0]), ("b", "steps", 0, 1, [3.0, 2.0]),
        ("a", "after_stop"), ("b", "after_stop"),
        ("a", "steps", 2, 5, pytest.approx([1, 1, 1, 1])),
        ("b", "steps", 2, 5, pytest.approx([1, 1, 1, 1])),
        ("a", "after_stop"), ("b", "after_stop"),
        ("a", "validation_begin"), ("b", "validation_begin"),
        ("a", "epoch_end", 0, 1.0), ("b", "epoch_end", 0, 1.0),
        ("a", "after_stop"), ("b", "after_stop"),
        ("a", "train_end"), ("b", "train_end"),
    ]  # fmt: skip


def test_nobody_waits_for_a_step_that_nobody_asked_for() -> None:
    """Until the epoch's end the losses stay where they are; then each is fetched once."""
    fit = watched([Log("a", [])])
    fit.on_train_begin()
    fit.on_epoch_begin(0)
    for batch in range(STEPS - 1):
        fit.on_train_batch_end(batch, {"loss": OnDevice(1.0)})
    assert OnDevice.waits == 0
    fit.on_train_batch_end(STEPS - 1, {"loss": OnDevice(1.0)})
    assert OnDevice.waits == STEPS + 1  # And the running mean of the last one, for progress.


def test_a_stop_comes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_STOPS", 0.0)
    events: list[Any] = []
    run(watched([Log("a", events)]), [1] * STEPS)
    assert [event[2:4] for event in events if event[1] == "steps"] == [(i, i) for i in range(STEPS)]


def test_a_callback_that_looks_at_steps_is_told_of_each_after_the_observers() -> None:
    events: list[Any] = []
    run(watched([Log("a", events)], [StepCallback(events)]), [3, 1, 1, 1, 1, 1])
    steps = [event for event in events if event[1] == "steps" or event[0] == "user"]
    assert steps[:4] == [
        ("a", "steps", 0, 0, [3.0]), ("user", 0, 3.0), ("a", "steps", 1, 1, [1.0]), ("user", 1, 2.0)
    ]  # fmt: skip
    assert len(steps) == 2 * STEPS


@pytest.mark.parametrize("first_step", [1, 4, 8])
def test_a_resumed_epoch_ends_after_what_it_lacks(first_step: int) -> None:
    """Then epochs are whole again; a stop that somebody else asks for is left alone."""
    events: list[Any] = []
    fit = watched([Log("a", events)], epochs=3, first_step=first_step)
    assert run(fit, [1] * STEPS, epochs=2) == [STEPS - first_step % STEPS, STEPS]
    assert not fit.model.stop_training


def test_an_epoch_that_a_callback_ends_early_is_told_to_its_end() -> None:
    events: list[Any] = []
    fit = watched([Log("a", events)])
    fit.on_train_begin()
    fit.on_epoch_begin(0)
    for batch in range(3):
        fit.on_train_batch_end(batch, {"loss": OnDevice(1.0)})
    fit.on_test_begin()
    assert ("a", "steps", 0, 2, [1.0, 1.0, 1.0]) in events


def test_an_observer_may_end_the_training() -> None:
    class Ends(Observer):
        def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
            raise StopTraining("enough")

    with pytest.raises(StopTraining, match="enough"):
        run(watched([Ends()]), [1] * STEPS)


def test_losses_of_steps_go_on_where_a_state_left_them() -> None:
    """In the middle of an epoch, with a smaller last batch."""
    sizes = [4, 4, 2]
    losses = [2.0, 1.0, 4.0]
    means = [np.average(losses[: i + 1], weights=sizes[: i + 1]) for i in range(3)]
    first = StepLosses(sizes.__getitem__)
    assert [first.add(step, means[step]) for step in (0, 1)] == pytest.approx(losses[:2])
    second = StepLosses(sizes.__getitem__)
    second.set_state(first.get_state())
    assert second.add(2, means[2]) == pytest.approx(4.0)


@pytest.mark.parametrize("looks", [False, True])
def test_a_validation_waits_only_for_who_looks_at_its_batches(looks: bool) -> None:
    class BatchCallback(keras.callbacks.Callback):
        seen = 0

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen += 1

    callback = BatchCallback() if looks else keras.callbacks.Callback()
    fit = watched([Log("a", [])], [callback])
    fit.on_test_begin()
    fit.on_test_batch_end(0, {"loss": OnDevice(1.0)})
    assert OnDevice.waits == looks
    assert getattr(callback, "seen", 0) == looks
