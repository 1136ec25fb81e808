"""The state of a training: everything an exact resume needs, in one file, written atomically.

Keras's own checkpoints are written in place and forget the seeds of dropout, the position in the
data and the state of callbacks. One `.npz` here holds every variable of model, optimizer and
metrics, and a JSON text with the global step and the state of observers and callbacks. Two files
are kept, so that a disk that loses the newest still leaves one.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.backend import devices, process_arrays, processes
from zoo.errors import DamagedFile, Interrupted
from zoo.rundir import Run, atomic_write
from zoo.rundir.recipe_text import hashes
from zoo.training import observer_states, state_file
from zoo.training.agreement import Agreement
from zoo.training.fit_callbacks import StepLosses
from zoo.training.interrupts import Signals
from zoo.training.observers import Observer
from zoo.training.state_file import Saved
from zoo.training.validation_metrics import Predictions

FILES_KEPT = 2
FORMAT = 1


def variables(model: keras.Model, more: Sequence[Any] = ()) -> list[Any]:
    """Variables of a compiled model, its optimizer and its metrics, random seeds included.

    Predictions of a validation are left out: no state is saved between them and their use.

    Args:
        model: compiled.
        more: variables of observers; they come last.
    """
    metrics = [metric for metric in model.metrics if not isinstance(metric, Predictions)]
    of_metrics = [variable for metric in metrics for variable in metric.variables]
    return [*model.variables, *model.optimizer.variables, *of_metrics, *more]


def save(
    run: Run,
    step: int,
    model: keras.Model,
    notes: dict[str, Any],
    more: Sequence[Any] = (),
    recipe_hash: str | None = None,
) -> None:
    """Writes the state after `step` steps and removes all but the newest `FILES_KEPT` files.

    Args:
        run: run folder.
        step: global steps made.
        model: compiled.
        notes: values that JSON can hold: states of observers and callbacks, seconds.
        more: variables of observers.
        recipe_hash: that of run.json, by which a state of another run is known.

    Raises:
        StorageFault: the file cannot be written; the older states are kept.
    """
    backend.sync(model)
    saved = variables(model, more)
    arrays = {f"v{i}": _plain(backend.to_numpy(variable)) for i, variable in enumerate(saved)}
    names = [[v.path, list(v.shape), str(v.dtype)] for v in saved]
    text = json.dumps({"format": FORMAT, "step": step, "variables": names, **notes})
    size = len(text) + sum(array.nbytes for array in arrays.values())
    with atomic_write(run.state_file(step), size) as aside, aside.open("wb") as file:
        np.savez(file, notes=np.array(text), recipe_hash=np.array(recipe_hash or ""), **arrays)  # type: ignore[arg-type]  # its stubs
    for old in run.state_files()[FILES_KEPT:]:
        old.unlink(missing_ok=True)


def _plain(array: np.ndarray) -> np.ndarray:
    """Views bfloat16 as uint16, which NumPy can save."""
    return array.view(np.uint16) if array.dtype.name == "bfloat16" else array


def newest(run: Run, note: Callable[[str], None] | None = None) -> Saved | None:
    """The newest state that can be read whole: its notes and arrays; None where there is none.

    Args:
        run: run folder.
        note: told in a line if a newer state cannot be read.

    Raises:
        DamagedFile: there are state files, but none can be read.
    """
    damage: DamagedFile | None = None
    for path in run.state_files():
        try:
            saved = state_file.read(path, hashes(run.info()))
        except DamagedFile as error:
            damage = damage or error
            continue
        if damage and note:
            reason = str(damage).removesuffix(state_file.ADVICE).rstrip()
            note(f"warning: {reason} Going on from {path.name}, the state before it.")
        return saved
    if damage:
        raise DamagedFile(f"{run.state_folder}: no state file can be read. {damage}")
    return None


def newest_of_first(run: Run, note: Callable[[str], None] | None = None) -> Saved | None:
    """As `newest`, of the run folder that process 0 reads, in all processes that train together.

    Args:
        run: run folder; that of process 0 counts.
        note: as for `newest`.

    Raises:
        DamagedFile: as `newest`, in process 0.
        PeerLost: another process ended by an error.
    """
    if processes.count() == 1:
        return newest(run, note)
    packed = None
    if processes.is_first():
        saved = newest(run, note)
        packed = b"" if saved is None else _packed(saved)
    packed = process_arrays.broadcast(packed)
    return _unpacked(packed) if packed else None


def _packed(saved: Saved) -> bytes:
    """A state as bytes."""
    notes, arrays = saved
    file = io.BytesIO()
    np.savez(file, notes=np.array(json.dumps(notes)), **{f"v{i}": a for i, a in enumerate(arrays)})  # type: ignore[arg-type]  # its stubs
    return file.getvalue()


def _unpacked(data: bytes) -> Saved:
    with np.load(io.BytesIO(data)) as stored:
        notes = json.loads(str(stored["notes"]))
        return notes, [stored[f"v{i}"] for i in range(len(notes["variables"]))]


def restore(model: keras.Model, saved: Saved, more: Sequence[Any] = ()) -> None:
    """Loads saved values into the variables of model, optimizer, metrics and observers.

    Args:
        model: compiled.
        saved: notes and arrays, as `newest` returns them.
        more: variables of observers, in the order in which they were saved.

    Raises:
        DamagedFile: the values belong to another network.
    """
    notes, arrays = saved
    targets = variables(model, more)
    shapes = [tuple(shape) for _, shape, _ in notes["variables"]]
    if notes.get("format") != FORMAT or shapes != [tuple(v.shape) for v in targets]:
        raise DamagedFile(
            "the saved state does not fit the network of this run's recipe.yaml; was it edited, "
            "or written by another version? Start again with `zoo train`."
        )
    for variable, array in zip(targets, arrays, strict=True):
        dtype = backend.to_numpy(variable).dtype
        if array.dtype != dtype and array.dtype == np.uint16:
            array = array.view(dtype)
        variable.assign(devices.replicate(array))


class Checkpointer(Observer):
    """Saves the state regularly and when a signal comes; restores a saved state.

    It must be the last observer, so that the state that it saves is complete.

    Args:
        run: run folder for the state files.
        signals: records Ctrl-C and SIGTERM; of several processes what they agreed on.
        observers: all other observers.
        callbacks: Keras callbacks. Those with `get_state` and `set_state` are asked; of others,
            such as Keras's EarlyStopping, the plain numbers and words that they hold are kept.
        losses: recovers the losses of steps.
        minutes: time between two saves.
        steps: also save every so many steps; None: only by time.
        saved: state to continue from; None to begin at the start.
        recipe_hash: that of run.json, by which a state of another run is known.
    """

    def __init__(
        self,
        run: Run,
        signals: Signals | Agreement,
        observers: Sequence[Observer],
        callbacks: Sequence[keras.callbacks.Callback],
        losses: StepLosses,
        minutes: float,
        steps: int | None,
        saved: Saved | None = None,
        recipe_hash: str | None = None,
    ) -> None:
        self.run = run
        self.signals = signals
        self.observers = observers
        self.stateful: list[Any] = [losses, *observers, *callbacks]
        self.more = [variable for each in observers for variable in each.state_variables]
        self.every_seconds = minutes * 60
        self.every_steps = steps
        self.saved = saved
        self.recipe_hash = recipe_hash
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
            observer_states.restore(self.stateful, self.saved[0]["callbacks"])

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
            error = Interrupted(
                f"{self.signals.received} after step {step}; everything is kept. "
                f"Resume with: {processes.resume_command(self.run)}"
            )
            error.agreed = True
            raise error
        every = self.every_steps
        steps = every is not None and step // every > self._saved_step // every
        if steps or time.monotonic() - self._saved_at >= self.every_seconds:
            self.save()

    def save(self) -> None:
        """Saves the state after the steps made so far, where this process owns the run folder."""
        if not self.run.owned:
            return
        for observer in self.observers:
            observer.before_save()
        named = [(observer_states.name_of(each), each) for each in self.stateful]
        states = [(name, observer_states.state_of(each)) for name, each in named]
        notes = {
            "callbacks": [[name, state] for name, state in states if state is not None],
            "seconds": self.counter.seconds,
            "stopped": bool(self.model.stop_training),
        }
        save(self.run, self.counter.step, self.model, notes, self.more, self.recipe_hash)
        self._saved_at, self._saved_step = time.monotonic(), self.counter.step
