"""The loop of `keras.Model.fit`: keeps the observers' contract, and the user's Keras callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from zoo import backend
from zoo.training.agreement import Agreement
from zoo.training.loop.device_loop import DeviceLoop
from zoo.training.loop.device_validation import DeviceValidation
from zoo.training.observers import Observer, Observers, StepCounter

SECONDS_BETWEEN_STOPS = 0.25  # How late a signal, a time limit or a divergence may be seen.
TRAINING_STEP_METHODS = (
    "on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end",
)  # fmt: skip
VALIDATION_STEP_METHODS = ("on_test_batch_begin", "on_test_batch_end")


class StepLosses:
    """Recovers the loss of each step from Keras's running mean over the images of the epoch.

    If m is the mean after a step, m_prev the mean before it, n the images before and b the images
    of the step, the step's loss is m + (m - m_prev) * n / b.

    Args:
        batch_size_of_step: returns the number of images of a step, given its number.
    """

    def __init__(self, batch_size_of_step: Callable[[int], int]) -> None:
        self.batch_size_of_step = batch_size_of_step
        self.sum = 0.0
        self.seen = 0

    def begin_epoch(self) -> None:
        """Starts a new mean, as Keras does."""
        self.sum, self.seen = 0.0, 0

    def add(self, step: int, mean: float) -> float:
        """Returns the loss of a step, given the running mean after it."""
        size = self.batch_size_of_step(step)
        loss = mean + (mean - self.sum / self.seen) * self.seen / size if self.seen else mean
        self.seen += size
        self.sum = mean * self.seen
        return loss

    def get_state(self) -> dict[str, Any]:
        """Returns the sum of losses and the number of images of the epoch so far."""
        return {"sum": self.sum, "seen": self.seen}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state returned by `get_state`."""
        self.sum, self.seen = state["sum"], state["seen"]


class FitCallbacks(keras.callbacks.CallbackList):
    """The callback list of `keras.Model.fit`: tells the observers, then the Keras callbacks.

    Keras's own list converts the logs of every step to Python numbers, which waits for the device.
    This one leaves them on the device until the next stop. A Keras callback with
    `on_train_batch_begin` or `on_train_batch_end` is still called at every step, which makes every
    step a stop.

    The first epoch of a resumed run contains only its remaining steps.

    Args:
        observers: in the order in which they are told.
        callbacks: Keras callbacks. They are told after the observers, except of `on_train_begin`
            and `on_epoch_begin`, where they would reset what a resumed run restores.
        model: compiled model.
        counter: position at which training begins.
        losses: recovers the losses of steps.
        validated: returns metrics of the validation that has just ended, beside those of Keras.
        agreement: what several processes decide as one; None for one process.

    Attributes:
        device_loop: makes the steps; None where Keras makes them one by one.
        device_validation: likewise for the batches of a validation.
    """

    def __init__(
        self,
        observers: Sequence[Observer],
        callbacks: Sequence[keras.callbacks.Callback],
        model: keras.Model,
        counter: StepCounter,
        losses: StepLosses,
        validated: Callable[[], dict[str, float]] = dict,
        agreement: Agreement | None = None,
    ) -> None:
        self.agreement = agreement
        self.device_loop: DeviceLoop | None = None
        self.device_validation: DeviceValidation | None = None
        self.observers = Observers(observers, counter)
        self.observers.attach(model)
        self._optimizer = getattr(model, "optimizer", None)
        self.counter = counter
        self.losses = losses
        self.validated = validated
        self._means: list[Any] = []  # Running means of the loss, still on the device.
        self._next_stop_step: int | None = None
        self._next_change_step: int | None = None
        self._last_stop_time = 0.0
        self._ends_first_epoch = False
        self._every_step = _any_overrides(callbacks, TRAINING_STEP_METHODS)
        self._every_validation_step = _any_overrides(callbacks, VALIDATION_STEP_METHODS)
        super().__init__(
            list(callbacks), add_history=True, model=model, verbose=0,
            epochs=counter.epochs, steps=counter.steps_per_epoch,
        )  # fmt: skip
        # Keras would call what it takes to be harmless from other threads.
        self._async_train = self._async_test = self._async_predict = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Calls `on_train_begin` of the callbacks, then of the observers."""
        super().on_train_begin(logs)
        self.observers.tell("on_train_begin")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Calls `on_epoch_begin` of the callbacks, then of the observers."""
        self.counter.begin_epoch()
        if self.counter.at_epoch_end:  # The epoch is whole, not the rest of one.
            self.losses.begin_epoch()
        super().on_epoch_begin(epoch, logs)
        self.observers.tell("on_epoch_begin", epoch)
        if self._optimizer is not self.observers.model.optimizer:
            self._optimizer = self.observers.model.optimizer
            if self.device_loop is None:  # The device loop sees it by itself.
                self.observers.model.make_train_function(force=True)
        self._after_stop()

    def steps_to_stop(self) -> int:
        """How many steps may be made until somebody must look or change: at least 1."""
        if self._every_step or self._ends_early:
            return 1
        step, of_epoch = self.counter.step, self.counter.steps_per_epoch
        end = (step // of_epoch + 1) * of_epoch
        return min(end, self._next_stop_step or end, self._next_change_step or end) - step

    @property
    def _ends_early(self) -> bool:
        """Whether somebody has asked Keras to stop, which it does after this step."""
        # `self.model` is Keras's property, which puts JAX's arrays into the variables.
        return bool(self.observers.model.stop_training)

    def change_values(self, step: int, state: Any) -> Any:
        """Applies a change to the state of JAX's trainer, where nobody looks at the model.

        Args:
            step: steps that the device has been told to make; Keras may not have counted them yet.
            state: lists of arrays: trainable variables, other variables, and more.

        Returns:
            The state, changed if a change was due and possible.
        """
        looked_at = step == self._next_stop_step or step % self.counter.steps_per_epoch == 0
        if step != self._next_change_step or looked_at or self._every_step:
            return state
        trained, others, *more = state
        changed = self.observers.changed(step, trained, others)
        if changed is None:
            return state
        self._next_change_step = self.observers.next_change(step)
        return (*changed, *more)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts the step and, at a stop, reports the losses to the observers."""
        counter = self.counter
        counter.step += 1
        logs = logs or {}
        if self.device_loop and self.device_loop.ahead:
            if not self._ends_early:
                return  # The device is past this step already.
            counter.step += self.device_loop.ahead  # Keras asks for no more steps of this epoch.
            self.device_loop.ahead = 0
        asked = counter.step == self._next_stop_step
        changed = counter.step == self._next_change_step
        if asked or changed:
            backend.sync(self.model)
        is_stop = self._is_stop(asked, logs)
        if is_stop:
            self._tell(logs)
        if changed:
            self.observers.change(counter.step)
            self._next_change_step = self.observers.next_change(counter.step)
        if is_stop:
            if self._every_step:
                super().on_train_batch_end(batch, logs)
            self._after_stop()
        resumed_mid_epoch = bool(counter.epoch_first_step % counter.steps_per_epoch)
        if counter.at_epoch_end and resumed_mid_epoch and not self.model.stop_training:
            # Keras counts the steps of an epoch from 0; the flag that stops training also ends an
            # epoch. It is taken back before others may set it for good.
            self._ends_first_epoch = self.model.stop_training = True

    def _is_stop(self, asked: bool, logs: dict[str, Any]) -> bool:
        if self.device_loop:
            due = self.device_loop.due
        else:
            self._means.append(logs["loss"])
            due = time.perf_counter() - self._last_stop_time >= SECONDS_BETWEEN_STOPS
        ends = self.counter.at_epoch_end or self._ends_early
        return asked or due or self._every_step or ends

    def _tell(self, logs: dict[str, Any]) -> None:
        means, self._means = self._means, []
        if self.device_loop:
            means = self.device_loop.take_losses()
        first = self.counter.step - len(means)
        losses = [self.losses.add(first + i, float(mean)) for i, mean in enumerate(means)]
        self.counter.metrics = {key: float(value) for key, value in logs.items()}
        if self.agreement:
            self.agreement.measure(len(means), time.perf_counter() - self._last_stop_time)
        self.observers.on_steps(losses)

    def _after_stop(self) -> None:
        if self.agreement:
            model = self.observers.model
            model.stop_training = self.agreement.agree(bool(model.stop_training))
        self.observers.tell("after_stop")
        self._next_stop_step = self.observers.next_stop()
        self._next_change_step = self.observers.next_change(self.counter.step)
        self._last_stop_time = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        """Reports the last steps, then calls `on_validation_begin` of the observers."""
        if self._means:  # A callback ended the epoch early.
            self._tell({})
        self.counter.begin_validation()
        self.observers.tell("on_validation_begin")
        if self.device_validation:
            self.device_validation.begin(singly=self._every_validation_step)
        super().on_test_begin(logs)

    def on_test_end(self, logs: Any = None) -> None:
        """Calls `on_test_end` of the callbacks."""
        if self.device_validation:
            self.device_validation.end()
        super().on_test_end(logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Calls `on_validation_step` of the observers, and the callbacks that look at batches."""
        self.observers.tell("on_validation_step")
        if self._every_validation_step:  # Converting the logs would wait for the device.
            super().on_test_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Calls `on_epoch_end` of the observers, then of the callbacks."""
        if self._ends_first_epoch:
            self._ends_first_epoch = self.model.stop_training = False
        backend.sync(self.model)
        self.counter.end_epoch()
        metrics = {**(logs or {}), **self.validated()}
        numbers = {key: float(value) for key, value in sorted(metrics.items())}
        self.observers.tell("on_epoch_end", epoch, numbers)
        super().on_epoch_end(epoch, numbers)
        self._after_stop()

    def on_train_end(self, logs: Any = None) -> None:
        """Calls `on_train_end` of the observers, then of the callbacks."""
        self.observers.tell("on_train_end")
        super().on_train_end(logs)


def _any_overrides(callbacks: Sequence[keras.callbacks.Callback], methods: Sequence[str]) -> bool:
    """Whether a callback has one of these methods of its own."""
    return any(
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for callback in callbacks
        for name in methods
    )
