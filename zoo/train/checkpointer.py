"""Keeping all that an exact resume needs: in time, on request, and when a signal comes."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

import keras

from zoo.errors import Interrupted
from zoo.rundir import Run
from zoo.train import checkpoint
from zoo.train.observers import StepCounter


class Signals:
    """Turns Ctrl-C and SIGTERM into a request that training heeds between two steps.

    A second one stops at once. Does nothing outside the main thread, where Python has no signals.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self.old: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.old[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)


class Checkpointer(keras.callbacks.Callback):
    """Saves the state in time and on request, and puts a saved one back. Comes last of all.

    Args:
        others: every other callback. Those with `get_state`/`set_state` are asked; of others, such
            as Keras's EarlyStopping, the plain numbers and words that they hold are kept. The
            `state_variables` of those that have some are saved and put back as well.
    """

    def __init__(
        self,
        run: Run,
        clock: StepCounter,
        signals: Signals,
        others: list[keras.callbacks.Callback],
        minutes: float,
        steps: int | None,
    ) -> None:
        super().__init__()
        self.run = run
        self.clock = clock
        self.signals = signals
        self.others = others
        self.more = [each for other in others for each in getattr(other, "state_variables", ())]
        self.every_seconds = minutes * 60
        self.every_steps = steps
        self.saved_at = time.monotonic()
        self.saved_step = clock.step
        self.restored: tuple[dict[str, Any], Any] | None = None

    def put_back(self, notes: dict[str, Any], arrays: Any) -> None:
        """Hands over a saved state; it is put in place as training begins."""
        self.restored = (notes, arrays)

    def on_train_begin(self, logs: Any = None) -> None:
        # After the others' own on_train_begin, in which they forget everything.
        if self.restored:
            stored = self.restored[0]["callbacks"]
            for callback, (kind, values) in zip(self.others, stored, strict=False):
                if kind == type(callback).__name__:
                    _put(callback, values)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # After Keras has set the metrics to zero, which a resumed epoch goes on with.
        if self.restored:
            checkpoint.restore(self.model, *self.restored, self.more)
            self.restored = None
            if self.clock.step % self.clock.steps_per_epoch == 0:
                # Saved at an epoch's end, where the metrics hold the sums of the validation.
                self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The last step's state is saved when validation and the epoch's end are done.
        if self.clock.step % self.clock.steps_per_epoch:
            self._keep()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._keep()

    def _keep(self) -> None:
        steps = self.every_steps is not None and (
            self.clock.step // self.every_steps > self.saved_step // self.every_steps
        )
        if self.signals.received:
            self.save()
            raise Interrupted(
                f"{self.signals.received} after step {self.clock.step}; everything is kept. "
                f"Go on with: zoo train --resume {self.run}"
            )
        if steps or time.monotonic() - self.saved_at >= self.every_seconds:
            self.save()

    def save(self) -> None:
        """Saves the state after the steps done so far."""
        sync = getattr(self.model, "jax_state_sync", None)
        if sync is not None:
            sync()  # JAX keeps the state outside of the variables during an epoch.
        notes = {
            "callbacks": [[type(other).__name__, _take(other)] for other in self.others],
            "seconds": self.clock.seconds,
            "stopped": bool(self.model.stop_training),
        }
        checkpoint.save(self.run.state_folder, self.clock.step, self.model, notes, self.more)
        self.saved_at, self.saved_step = time.monotonic(), self.clock.step


def _take(callback: Any) -> dict[str, Any]:
    if hasattr(callback, "get_state"):
        values: dict[str, Any] = callback.get_state()
        return values
    plain = {}
    for key, value in vars(callback).items():
        if key == "min_delta" and hasattr(callback, "monitor_op"):
            continue  # Keras turns its sign once in each process; it is no state.
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if value is None or isinstance(value, bool | int | float | str):
            plain[key] = value
    return plain


def _put(callback: Any, values: dict[str, Any]) -> None:
    if hasattr(callback, "set_state"):
        callback.set_state(values)
    else:
        vars(callback).update(values)
