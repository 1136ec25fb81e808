"""The loop of `keras.Model.fit`: keeps the observers' contract, and the user's Keras callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from zoo import backend
from zoo.train.observers import Observer, Observers, StepCounter

SECONDS_BETWEEN_STOPS = 0.25  # How late a signal, a time limit or a divergence may be seen.
STEP_METHODS = ("on_train_batch_end", "on_batch_end")


class StepLosses:
    """Recovers each step's loss from Keras's running mean over the images of the epoch.

    With m the mean after a step, n the images before it and b those of the step, the step's loss is
    m + (m - m_before) * n / b.

    Args:
        batch_size: the number of images of a step, by its number.
    """

    def __init__(self, batch_size: Callable[[int], int]) -> None:
        self.batch_size = batch_size
        self.sum = 0.0
        self.seen = 0

    def begin_epoch(self) -> None:
        """Keras begins its mean anew."""
        self.sum, self.seen = 0.0, 0

    def add(self, step: int, mean: float) -> float:
        """The loss of a step, from the running mean after it."""
        size = self.batch_size(step)
        loss = mean + (mean - self.sum / self.seen) * self.seen / size if self.seen else mean
        self.seen += size
        self.sum = mean * self.seen
        return loss

    def get_state(self) -> dict[str, Any]:
        """The sum of losses and the number of images of the epoch so far."""
        return {"sum": self.sum, "seen": self.seen}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on with an epoch."""
        self.sum, self.seen = state["sum"], state["seen"]


class FitCallbacks(keras.callbacks.CallbackList):
    """What `keras.Model.fit` calls: observers, then the user's Keras callbacks.

    Keras converts the logs of every step to Python numbers, which waits for the device. This list
    keeps them where they are until the next stop. A Keras callback that looks at single steps
    (`on_train_batch_end`) is still called after each of them, and makes every step a stop.

    A resumed run's first epoch ends after the steps that it still lacks.

    Args:
        observers: in the order in which they are told.
        callbacks: the user's; told after the observers. `on_train_begin` and `on_epoch_begin` come
            to them first, so that what a resumed run puts back is not set to zero again.
        model: compiled.
        counter: tells where training begins.
        losses: recovers the losses of steps.
    """

    def __init__(
        self,
        observers: Sequence[Observer],
        callbacks: Sequence[keras.callbacks.Callback],
        model: keras.Model,
        counter: StepCounter,
        losses: StepLosses,
    ) -> None:
        self.observers = Observers(observers, counter)
        self.observers.attach(model)
        self.counter = counter
        self.losses = losses
        self._means: list[Any] = []  # Running means of the loss, still on the device.
        self._stop: int | None = None
        self._told_at = 0.0
        self._ends_first_epoch = False
        self._every_step = any(map(_looks_at_steps, callbacks))
        super().__init__(
            list(callbacks), add_history=True, model=model, verbose=0,
            epochs=counter.epochs, steps=counter.steps_per_epoch,
        )  # fmt: skip
        # Keras would call what it takes to be harmless from other threads.
        self._async_train = self._async_test = self._async_predict = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins training."""
        super().on_train_begin(logs)
        self.observers.tell("on_train_begin")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins an epoch, or the rest of one."""
        self.counter.begin_epoch()
        if self.counter.at_epoch_end:  # The epoch is whole, not the rest of one.
            self.losses.begin_epoch()
        super().on_epoch_begin(epoch, logs)
        self.observers.tell("on_epoch_begin", epoch)
        self._after_stop()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts a step; tells of it if here is a stop."""
        counter = self.counter
        counter.step += 1
        logs = logs or {}
        self._means.append(logs["loss"])
        asked = counter.step == self._stop
        late = time.perf_counter() - self._told_at >= SECONDS_BETWEEN_STOPS
        if asked or late or self._every_step or counter.at_epoch_end:
            if asked:
                backend.sync(self.model)
            self._tell(logs)
            if self._every_step:
                super().on_train_batch_end(batch, logs)
            self._after_stop()
        rest = counter.epoch_first_step % counter.steps_per_epoch
        if counter.at_epoch_end and rest and not self.model.stop_training:
            # Keras counts the steps of an epoch from 0; the flag that stops training also ends an
            # epoch. It is taken back before others may set it for good.
            self._ends_first_epoch = self.model.stop_training = True

    def _tell(self, logs: dict[str, Any]) -> None:
        first = self.counter.step - len(self._means)
        means, self._means = self._means, []
        losses = [self.losses.add(first + i, float(mean)) for i, mean in enumerate(means)]
        self.counter.metrics = {key: float(value) for key, value in logs.items()}
        self.observers.on_steps(losses)

    def _after_stop(self) -> None:
        self.observers.tell("after_stop")
        self._stop = self.observers.next_stop()
        self._told_at = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        """Begins the validation of an epoch."""
        if self._means:  # A callback ended the epoch early.
            self._tell({})
        self.counter.begin_validation()
        self.observers.tell("on_validation_begin")
        super().on_test_begin(logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Goes on with a validation."""
        self.observers.tell("on_validation_step")
        super().on_test_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ends an epoch."""
        if self._ends_first_epoch:
            self._ends_first_epoch = self.model.stop_training = False
        backend.sync(self.model)
        self.counter.end_epoch()
        numbers = {key: float(value) for key, value in (logs or {}).items()}
        self.observers.tell("on_epoch_end", epoch, numbers)
        super().on_epoch_end(epoch, numbers)
        self._after_stop()

    def on_train_end(self, logs: Any = None) -> None:
        """Ends training."""
        self.observers.tell("on_train_end")
        super().on_train_end(logs)


def _looks_at_steps(callback: keras.callbacks.Callback) -> bool:
    """Whether a Keras callback does something after each step."""
    return any(
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for name in STEP_METHODS
    )
