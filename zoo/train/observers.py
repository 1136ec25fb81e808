"""The contract of what watches a training, and `FitCallbacks`, which keeps it inside of `fit`.

A loop runs many steps between two *stops*. At a stop the host waits for the device, and every
observer is told the losses of the steps since the stop before. A loop stops at the nearest step
that an observer asks for (`next_stop`), at the end of each epoch, and at the latest after
`SECONDS_BETWEEN_STOPS`. So no step waits for the device unless somebody asks for that step.

The same observers serve a training (`zoo.train.training`), a trial of a search
(`tuning.trial_trainer`) and the short trainings of `zoo check` (`zoo.check.measure.trainer`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from zoo import backend

SECONDS_BETWEEN_STOPS = 0.25  # How late a signal, a time limit or a divergence may be seen.


class StopTraining(Exception):
    """Raised by an observer: ends the training at this stop, for a reason that is no fault."""


class StepCounter:
    """Counts the steps and the seconds of a training, over all processes that took part in it.

    Attributes:
        step: steps made so far, over all epochs.
        steps_per_epoch: steps of a whole epoch.
        epochs: epochs planned.
        metrics: running means of the epoch's metrics, as of the last stop.
        steps_per_second: of each epoch of this process, validation left out.
    """

    def __init__(
        self, steps_per_epoch: int, epochs: int, first_step: int = 0, seconds: float = 0.0
    ) -> None:
        self.step = first_step
        self.steps_per_epoch = steps_per_epoch
        self.epochs = epochs
        self.metrics: dict[str, float] = {}
        self.steps_per_second: list[float] = []
        self.epoch_first_step = first_step
        self.epoch_started = self._started = time.perf_counter()
        self._seconds_before = seconds
        self._validation_started: float | None = None

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch

    @property
    def seconds(self) -> float:
        """Seconds spent in training so far, by earlier processes too."""
        return self._seconds_before + time.perf_counter() - self._started

    @property
    def epoch(self) -> int:
        """The epoch, from 1, of the step made last."""
        return (self.step - 1) // self.steps_per_epoch + 1

    @property
    def at_epoch_end(self) -> bool:
        """Whether the step made last is the last one of its epoch."""
        return self.step % self.steps_per_epoch == 0

    def begin_epoch(self) -> None:
        """Notes when and at which step an epoch begins."""
        self.epoch_started = time.perf_counter()
        self.epoch_first_step = self.step
        self._validation_started = None

    def begin_validation(self) -> None:
        """Notes that the epoch's steps are made and its validation begins."""
        self._validation_started = time.perf_counter()

    def end_epoch(self) -> None:
        """Notes how fast the epoch's steps were."""
        ended = self._validation_started or time.perf_counter()
        steps = self.step - self.epoch_first_step
        self.steps_per_second.append(steps / (ended - self.epoch_started))


class Observer:
    """Watches a training. Every method may be left out.

    The order of events: `on_train_begin`; for each epoch `on_epoch_begin`, `on_steps` at each stop,
    `on_validation_begin`, `on_validation_step`, `on_epoch_end`; then `on_train_end`. `after_stop`
    follows `on_epoch_begin`, `on_steps` and `on_epoch_end`, when all observers and Keras callbacks
    have been told: then the model holds what the next step starts from.

    An observer may change the model (an average of the weights does): the observers after it in
    the list see the changed one. It may raise `StopTraining` or an error of zoo's to end the
    training.

    Attributes:
        model: the compiled model, set by `attach`. At a stop that the observer asked for, and
            at an epoch's end, its variables hold the values of that step.
        counter: tells the step, the epoch and the time; set by `attach`.
        state_variables: Keras variables of the observer's own, saved with those of the model.
    """

    model: keras.Model
    counter: StepCounter
    state_variables: Sequence[keras.Variable] = ()

    def attach(self, model: keras.Model, counter: StepCounter) -> None:
        """Hands over the model and the counter, before training begins."""
        self.model = model
        self.counter = counter

    def next_stop(self, step: int) -> int | None:
        """The next step at which this observer must be told.

        Args:
            step: steps made so far.

        Returns:
            A number of steps greater than `step`; None: any stop will do.
        """
        return None

    def on_train_begin(self) -> None:
        """Called once, before the first epoch of this process."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Called before the first step of an epoch (from 0) in this process."""

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """Tells of the steps made since the last stop.

        Args:
            first: number of the first of these steps, from 0.
            last: number of the last one: `last + 1` steps have been made in all.
            losses: the loss of each, penalties included, before its update.
        """

    def on_validation_begin(self) -> None:
        """Called when the epoch's steps are made, before its validation."""

    def on_validation_step(self) -> None:
        """Called after each batch of a validation."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Called after the validation; the model holds what was validated.

        Args:
            epoch: from 0.
            logs: metrics of the epoch by name, those of validation with `val_` before it.
        """

    def after_stop(self) -> None:
        """Called last at every stop, when the state of the training is whole."""

    def on_train_end(self) -> None:
        """Called after the last epoch; not where an error ended the training."""

    def get_state(self) -> dict[str, Any] | None:
        """What an exact resume needs, as JSON can hold it; None: nothing."""
        return None

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave."""


class Observers:
    """A list of observers, told as one, in order."""

    def __init__(self, observers: Sequence[Observer], counter: StepCounter) -> None:
        self.all = tuple(observers)
        self.counter = counter

    def attach(self, model: keras.Model) -> None:
        """Hands the model and the counter to all of them."""
        self.model = model
        for observer in self.all:
            observer.attach(model, self.counter)

    def next_stop(self) -> int | None:
        """The nearest step that an observer asks for."""
        stops = [observer.next_stop(self.counter.step) for observer in self.all]
        return min((stop for stop in stops if stop is not None), default=None)

    def tell(self, event: str, *arguments: Any) -> None:
        """Calls a method of each observer."""
        for observer in self.all:
            getattr(observer, event)(*arguments)

    def on_steps(self, losses: Sequence[float]) -> None:
        """Tells all observers the losses of the last steps, up to `counter.step`."""
        last = self.counter.step - 1
        self.tell("on_steps", last - len(losses) + 1, last, losses)


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


STEP_METHODS = ("on_train_batch_end", "on_batch_end")


def _looks_at_steps(callback: keras.callbacks.Callback) -> bool:
    """Whether a Keras callback does something after each step."""
    return any(
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for name in STEP_METHODS
    )
