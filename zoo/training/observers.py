"""The contract between a loop of training steps and the observers that watch it.

A loop makes many steps between two *stops*. At a stop the host waits for the device, and every
observer is told the losses of the steps since the last stop. A loop stops at the nearest step that
an observer asks for (`next_stop`) and at the end of each epoch. It may stop more often. A step that
is no stop waits for nothing.

Two loops tell observers. `zoo.training.fit_callbacks` runs inside of `keras.Model.fit`, for a
training and for a trial of a search. `zoo.checks.measure.trainer` makes the short trainings of
`zoo check`: a single epoch without validation, in which every step is a stop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras


class StopTraining(Exception):
    """Raised by an observer: ends a trial or a short training at this stop; it is no error."""


class StepCounter:
    """Counts the steps and the seconds of a training, over all processes that took part in it.

    Attributes:
        step: steps made so far, over all epochs.
        steps_per_epoch: steps of a whole epoch.
        epochs: epochs planned.
        metrics: running means of the epoch's metrics, as of the last stop.
        steps_per_second: of each epoch of this process, validation left out.
        first_step_seconds: from the start of this process's training until the losses of its first
            steps were known, what was compiled included; None before that.
    """

    def __init__(
        self, steps_per_epoch: int, epochs: int, first_step: int = 0, seconds: float = 0.0
    ) -> None:
        self.step = first_step
        self.steps_per_epoch = steps_per_epoch
        self.epochs = epochs
        self.metrics: dict[str, float] = {}
        self.steps_per_second: list[float] = []
        self.first_step_seconds: float | None = None
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

    def note_first_step(self) -> None:
        """Notes that the losses of the first steps are known; later calls change nothing."""
        if self.first_step_seconds is None:
            self.first_step_seconds = round(time.perf_counter() - self._started, 3)

    def begin_validation(self) -> None:
        """Notes that the epoch's steps are made and its validation begins."""
        self._validation_started = time.perf_counter()

    def end_epoch(self) -> None:
        """Notes how fast the epoch's steps were."""
        ended = self._validation_started or time.perf_counter()
        steps = self.step - self.epoch_first_step
        self.steps_per_second.append(steps / (ended - self.epoch_started))


Values = list[Any]  # Arrays of the backend.


class Observer:
    """Watches a training. A subclass overrides the methods that it needs.

    The order of events: `on_train_begin`; for each epoch `on_epoch_begin`, `on_steps` at each stop,
    `on_validation_begin`, `on_validation_step`, `on_epoch_end`; then `on_train_end`. `after_stop`
    comes after `on_epoch_begin`, `on_steps` and `on_epoch_end`, once all observers and Keras
    callbacks have been told.

    An observer may change the model, as an average of the weights does: the observers after it in
    the list see the changed model. An error that it raises ends the training. `StopTraining` is for
    trials and the checks' short trainings, which catch it; in `zoo train` a Keras callback sets
    `model.stop_training`.

    Attributes:
        model: the compiled model, set by `attach`. At a stop that the observer asked for, and
            at an epoch's end, its variables hold the values of that step.
        counter: tells the step, the epoch and the time; set by `attach`.
        state_variables: Keras variables of the observer's own, saved with those of the model.
        changes_values: whether `changed` does what `change` does.
    """

    model: keras.Model
    counter: StepCounter
    state_variables: Sequence[keras.Variable] = ()
    changes_values = False

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

    def next_change(self, step: int) -> int | None:
        """The next step after which this observer changes the model, whatever the losses are.

        A change is no stop: nobody waits for the device.

        Args:
            step: steps made so far.

        Returns:
            A number of steps greater than `step`; None: it changes nothing.
        """
        return None

    def change(self) -> None:
        """Changes the model's variables after a step that `next_change` named.

        At a stop that is after all `on_steps`.
        """

    def changed(self, step: int, trained: Values, others: Values) -> tuple[Values, Values]:
        """As `change`, for values that the JAX trainer has not put into the variables.

        Only called if `changes_values` is true, after steps that are no stops. Putting hundreds of
        arrays into Keras variables and taking them out again would take longer than some steps.

        Args:
            step: steps made so far.
            trained: an array for each of the model's trainable variables.
            others: an array for each of its other variables.

        Returns:
            Both lists, with the new values.
        """
        return trained, others

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
        """Called when all have been told: the model holds what the next step starts from."""

    def on_train_end(self) -> None:
        """Called after the last epoch; not where an error ended the training."""

    def before_save(self) -> None:
        """Called before the state is saved: writes what the state relies on to its files."""

    def get_state(self) -> dict[str, Any] | None:
        """What an exact resume needs, as JSON can hold it; None: nothing."""
        return None

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state returned by `get_state`."""


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

    def next_change(self, step: int) -> int | None:
        """The nearest step after `step` after which an observer changes the model."""
        steps = [observer.next_change(step) for observer in self.all]
        return min((step for step in steps if step is not None), default=None)

    def change(self, step: int) -> None:
        """Lets the observers that named this step change the model.

        Args:
            step: steps made so far.
        """
        for observer in self._changing(step):
            observer.change()

    def changed(self, step: int, trained: Values, others: Values) -> tuple[Values, Values] | None:
        """Lets the observers that named this step change values; see `Observer.changed`.

        Returns:
            The new values; None where an observer can only change the model.
        """
        changing = self._changing(step)
        if not all(observer.changes_values for observer in changing):
            return None
        for observer in changing:
            trained, others = observer.changed(step, trained, others)
        return trained, others

    def _changing(self, step: int) -> list[Observer]:
        return [observer for observer in self.all if observer.next_change(step - 1) == step]

    def tell(self, event: str, *arguments: Any) -> None:
        """Calls a method of each observer."""
        for observer in self.all:
            getattr(observer, event)(*arguments)

    def on_steps(self, losses: Sequence[float]) -> None:
        """Tells all observers the losses of the last steps, up to `counter.step`."""
        self.counter.note_first_step()
        last = self.counter.step - 1
        self.tell("on_steps", last - len(losses) + 1, last, losses)
