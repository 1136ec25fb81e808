"""The state of a training: everything an exact resume needs, in one file, written atomically.

Keras's own checkpoints are written in place and forget the seeds of dropout, the position in the
data and the state of callbacks. One `.npz` here holds every variable of model, optimizer and
metrics, and a JSON text with the global step and the state of observers and callbacks. Two files
are kept, so that a disk that loses the newest still leaves one.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.errors import Interrupted, RunError
from zoo.rundir import Run, atomic_write
from zoo.train.fit_callbacks import StepLosses
from zoo.train.interrupts import Signals
from zoo.train.observers import Observer

FILES_KEPT = 2
FORMAT = 1
# Class names in files of zoo 0.1 -> today's.
FORMER_NAMES = {
    "Watch": "DivergenceGuard",
    "Best": "BestEpoch",
    "Babysitter": "LiveChecks",
    "Lookahead": "LookaheadWeights",
}
Saved = tuple[dict[str, Any], list[np.ndarray]]  # Notes and arrays, as `newest` reads them.


def variables(model: keras.Model, more: Sequence[Any] = ()) -> list[Any]:
    """Variables of a compiled model, its optimizer and its metrics, random seeds included.

    Args:
        model: compiled.
        more: variables of observers; they come last.
    """
    return [*model.variables, *model.optimizer.variables, *model.metrics_variables, *more]


def save(
    run: Run, step: int, model: keras.Model, notes: dict[str, Any], more: Sequence[Any] = ()
) -> None:
    """Writes the state after `step` steps and removes all but the newest `FILES_KEPT` files.

    Args:
        run: run folder.
        step: global steps made.
        model: compiled.
        notes: values that JSON can hold: states of observers and callbacks, seconds.
        more: variables of observers.

    Raises:
        OSError: the file cannot be written.
    """
    backend.sync(model)
    saved = variables(model, more)
    arrays = {f"v{i}": _plain(backend.to_numpy(variable)) for i, variable in enumerate(saved)}
    names = [[v.path, list(v.shape), str(v.dtype)] for v in saved]
    text = json.dumps({"format": FORMAT, "step": step, "variables": names, **notes})
    with atomic_write(run.state_file(step)) as aside, aside.open("wb") as file:
        np.savez(file, notes=np.array(text), **arrays)  # type: ignore[arg-type]  # its stubs
    for old in run.state_files()[FILES_KEPT:]:
        old.unlink(missing_ok=True)


def _plain(array: np.ndarray) -> np.ndarray:
    """Views bfloat16 as uint16, which NumPy can save."""
    return array.view(np.uint16) if array.dtype.name == "bfloat16" else array


def newest(run: Run) -> Saved | None:
    """The newest state that can be read whole: its notes and arrays; None where there is none.

    Raises:
        RunError: there are state files, but none can be read.
    """
    files = run.state_files()
    for path in files:
        try:
            # numpy leaves a file open that it has opened itself and cannot read.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                notes = json.loads(str(stored["notes"]))
                arrays = [stored[f"v{i}"] for i in range(len(notes["variables"]))]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            continue
        return notes, arrays
    if files:
        raise RunError(
            f"{run.state_folder}: no state file can be read; start again with `zoo train`."
        )
    return None


def restore(model: keras.Model, saved: Saved, more: Sequence[Any] = ()) -> None:
    """Loads saved values into the variables of model, optimizer, metrics and observers.

    Args:
        model: compiled.
        saved: notes and arrays, as `newest` returns them.
        more: variables of observers, in the order in which they were saved.

    Raises:
        RunError: the values belong to another network.
    """
    notes, arrays = saved
    targets = variables(model, more)
    shapes = [tuple(shape) for _, shape, _ in notes["variables"]]
    if notes.get("format") != FORMAT or shapes != [tuple(v.shape) for v in targets]:
        raise RunError(
            "the saved state does not fit the network of this run's recipe.yaml; was it edited, "
            "or written by another version? Start again with `zoo train`."
        )
    for variable, array in zip(targets, arrays, strict=True):
        dtype = backend.to_numpy(variable).dtype
        if array.dtype != dtype and array.dtype == np.uint16:
            array = array.view(dtype)
        variable.assign(array)


class Checkpointer(Observer):
    """Saves the state regularly and when a signal comes; restores a saved state.

    It must be the last observer, so that the state that it saves is complete.

    Args:
        run: run folder for the state files.
        signals: records Ctrl-C and SIGTERM.
        observers: all other observers.
        callbacks: Keras callbacks. Those with `get_state` and `set_state` are asked; of others,
            such as Keras's EarlyStopping, the plain numbers and words that they hold are kept.
        losses: recovers the losses of steps.
        minutes: time between two saves.
        steps: also save every so many steps; None: only by time.
        saved: state to continue from; None to begin at the start.
    """

    def __init__(
        self,
        run: Run,
        signals: Signals,
        observers: Sequence[Observer],
        callbacks: Sequence[keras.callbacks.Callback],
        losses: StepLosses,
        minutes: float,
        steps: int | None,
        saved: Saved | None = None,
    ) -> None:
        self.run = run
        self.signals = signals
        self.stateful: list[Any] = [losses, *observers, *callbacks]
        self.more = [variable for each in observers for variable in each.state_variables]
        self.every_seconds = minutes * 60
        self.every_steps = steps
        self.saved = saved
        self._saved_at = time.monotonic()
        self._saved_step = int(saved[0]["step"]) if saved else 0
        self._inside_epoch = False

    def next_stop(self, step: int) -> int | None:
        """The next step after which the state is saved."""
        every = self.every_steps
        return None if every is None else (step // every + 1) * every

    def on_train_begin(self) -> None:
        """Restores the state of observers and callbacks, after their own `on_train_begin`."""
        if self.saved:
            _restore_states(self.stateful, self.saved[0]["callbacks"])

    def on_epoch_begin(self, epoch: int) -> None:
        """Restores the variables, after Keras has set the metrics to zero."""
        self._inside_epoch = True
        if self.saved:
            restore(self.model, self.saved, self.more)
            self.saved = None
            if self.counter.at_epoch_end:
                # The metrics of a state saved at an epoch's end hold the sums of the validation.
                self.model.reset_metrics()

    def restore_all(self) -> None:
        """Restores everything when no step is left to train."""
        self.on_train_begin()
        self.on_epoch_begin(0)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Notes that the epoch is complete."""
        self._inside_epoch = False

    def after_stop(self) -> None:
        """Saves if it is time or a signal came; not between an epoch's last step and its end.

        Raises:
            Interrupted: a signal came; the state is saved.
        """
        step = self.counter.step
        if self._inside_epoch and self.counter.at_epoch_end:
            return
        if self.signals.received:
            self.save()
            raise Interrupted(
                f"{self.signals.received} after step {step}; everything is kept. "
                f"Resume with: zoo train --resume {self.run}"
            )
        every = self.every_steps
        steps = every is not None and step // every > self._saved_step // every
        if steps or time.monotonic() - self._saved_at >= self.every_seconds:
            self.save()

    def save(self) -> None:
        """Saves the state after the steps made so far."""
        states = [(type(each).__name__, _state(each)) for each in self.stateful]
        notes = {
            "callbacks": [[name, state] for name, state in states if state is not None],
            "seconds": self.counter.seconds,
            "stopped": bool(self.model.stop_training),
        }
        save(self.run, self.counter.step, self.model, notes, self.more)
        self._saved_at, self._saved_step = time.monotonic(), self.counter.step


def _state(watcher: Any) -> dict[str, Any] | None:
    """Returns the state of an observer or a Keras callback; None if it has none."""
    if hasattr(watcher, "get_state"):
        state: dict[str, Any] | None = watcher.get_state()
        return state
    plain = {}
    for key, value in vars(watcher).items():
        if key == "min_delta" and hasattr(watcher, "monitor_op"):
            continue  # Keras negates it once per process; restoring it would negate it twice.
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if value is None or isinstance(value, bool | int | float | str):
            plain[key] = value
    return plain


def _restore_states(stateful: Sequence[Any], entries: Sequence[Any]) -> None:
    """Restores states: the n-th object of a class gets the n-th state of that class."""
    states: dict[str, list[dict[str, Any]]] = {}
    for name, state in entries:
        states.setdefault(FORMER_NAMES.get(name, name), []).append(state)
        if name == "Watch":  # It also recovered the losses of steps.
            states["StepLosses"] = [state]
    for each in stateful:
        waiting = states.get(type(each).__name__)
        if not waiting:
            continue
        state = waiting.pop(0)
        if hasattr(each, "set_state"):
            each.set_state(state)
        else:
            vars(each).update(state)
