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
    """Writes the state after `step` steps and removes all but the newest `FILES_KEPT` files."""
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
    """The bytes of what numpy has no name for (bfloat16)."""
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
    """Puts saved values into model, optimizer, metrics and the variables of observers.

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
    """Saves the state in time, on request and when a signal comes; puts a saved one back.

    The last of the observers: what it saves is whole.

    Args:
        run: takes the state files.
        signals: of this process.
        observers: all others.
        callbacks: Keras callbacks. Those with `get_state` and `set_state` are asked; of others,
            such as Keras's EarlyStopping, the plain numbers and words that they hold are kept.
        losses: recovers the losses of steps.
        minutes: between two saves.
        steps: between two saves, besides; None: time alone counts.
        saved: the state to begin from; None: the start.
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
        """Puts the state of observers and callbacks back, after their own beginning."""
        if self.saved:
            _put_back(self.stateful, self.saved[0]["callbacks"])

    def on_epoch_begin(self, epoch: int) -> None:
        """Puts the variables back, after Keras has set the metrics to zero."""
        self._inside_epoch = True
        if self.saved:
            restore(self.model, self.saved, self.more)
            self.saved = None
            if self.counter.at_epoch_end:
                # The metrics of a state saved at an epoch's end hold the sums of the validation.
                self.model.reset_metrics()

    def restore_all(self) -> None:
        """Puts everything back where no step is left to train."""
        self.on_train_begin()
        self.on_epoch_begin(0)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Notes that the epoch is whole."""
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
                f"Go on with: zoo train --resume {self.run}"
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
    """What an observer or a Keras callback asks to be kept."""
    if hasattr(watcher, "get_state"):
        state: dict[str, Any] | None = watcher.get_state()
        return state
    plain = {}
    for key, value in vars(watcher).items():
        if key == "min_delta" and hasattr(watcher, "monitor_op"):
            continue  # Keras turns its sign once in each process; it is no state.
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if value is None or isinstance(value, bool | int | float | str):
            plain[key] = value
    return plain


def _put_back(stateful: Sequence[Any], entries: Sequence[Any]) -> None:
    """Gives each its saved state: the n-th of a class takes the n-th state of that class."""
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
