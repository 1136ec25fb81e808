"""Trains a recipe through `keras.Model.fit`, so that it can be killed at any time and go on.

`train` makes a run folder and fills it; `resume` goes on with one, to the same final weights, bit
for bit, that it would have had undisturbed. A user's own Keras callbacks fit in.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import keras
from rich.console import Console

from zoo import __version__, backend, batches, losses, model, optimize, state
from zoo import recipe as recipes
from zoo.data.load import load as load_data
from zoo.data.normalise import Normalisation, normalisation
from zoo.data.splits import Splits
from zoo.errors import DataError, Diverged, Interrupted, RunError, ZooError
from zoo.recipe import Recipe
from zoo.run import Run, write_text
from zoo.train.callbacks import Best, Clock, FirstEpoch, Keeper, Rows, Signals, Watch
from zoo.train.progress import EpochLines, counting


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a training is watched; nothing here changes its result."""

    console: Console = field(default_factory=lambda: Console(quiet=True))
    tensorboard: bool = False
    callbacks: Sequence[keras.callbacks.Callback] = ()


def train(recipe: Recipe, out: Path = Path("runs"), settings: Settings | None = None) -> Run:
    """Trains a recipe in a new run folder under `out`.

    Args:
        recipe: as `recipe.load` returns it.
        out: where run folders go: `out/NAME/TIME-HEX`.
        settings: console, TensorBoard and callbacks of the caller's own.

    Returns:
        The run, with status `done` and its best model.

    Raises:
        DataError: the data cannot be used.
        Diverged: the loss left the range in which training makes sense; the run says so too.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    settings = settings or Settings()
    keras_ready(recipe)
    with counting(settings.console) as report:
        data = load_data(recipe, progress=report)
        scaling = normalisation(recipe.data.preprocess, data.train)
    run = Run.create(out, recipe.name)
    write_text(run.recipe_file, recipes.dump(recipe))
    run.update(status="running", **_facts(recipe, data, scaling))
    return _Training(run, recipe, data, scaling, settings).go(None)


def resume(path: str | Path, settings: Settings | None = None) -> Run:
    """Goes on with an interrupted or killed run to the weights that it would have had.

    Raises:
        RunError: there is no such run, it is still running, or its state does not fit.
        DataError: the data are no longer those that it began with.
        Diverged, Interrupted: as for `train`.
    """
    settings = settings or Settings()
    run = Run.open(path)
    info = run.info()
    if info["status"] == "done":
        settings.console.print(f"{run} is done already: nothing to resume.", highlight=False)
        return run
    if info["status"] == "diverged":
        raise RunError(
            f"{run}: {info.get('reason', 'diverged')} Going on would diverge again: "
            "start a new run with a lower learning rate."
        )
    _require_idle(run, info)
    recipe = recipes.load(str(run.recipe_file))
    keras_ready(recipe)
    if info["backend"] != keras.backend.backend():
        raise RunError(
            f"{run}: was begun with KERAS_BACKEND={info['backend']}; resume it with that backend."
        )
    with counting(settings.console) as report:
        data = load_data(recipe, progress=report)
        scaling = normalisation(recipe.data.preprocess, data.train)
    if data.fingerprint != info["data"]["fingerprint"]:
        raise DataError(
            f"{run}: the data changed since it began. Expected fingerprint "
            f"{info['data']['fingerprint'][:12]}. Received {data.fingerprint[:12]}; "
            "bring the old data back, or start a new run."
        )
    run.sweep()
    _warn_versions(info, settings.console)
    run.update(status="running", host=socket.gethostname(), pid=os.getpid())
    return _Training(run, recipe, data, scaling, settings).go(state.newest(run.state_folder))


def keras_ready(recipe: Recipe) -> None:
    """Makes the backend ready for a recipe: its seed, and determinism where it is asked for."""
    backend.prepare(deterministic=recipe.train.deterministic, seed=recipe.seed)


def _require_idle(run: Run, info: dict[str, Any]) -> None:
    """Two processes in one run folder would write over each other."""
    if info["status"] != "running" or info.get("host") != socket.gethostname():
        return
    pid = info.get("pid")
    if not pid or pid == os.getpid():
        return
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if os.path.isdir("/proc") else b"zoo"
    except (ProcessLookupError, FileNotFoundError):
        return
    except PermissionError:
        command = b"zoo"
    if b"zoo" in command or b"pytest" in command:
        raise RunError(f"{run}: is still running as process {pid}; stop that one first.")


def _warn_versions(info: dict[str, Any], console: Console) -> None:
    now = backend.versions()
    changed = [
        f"{name} {old} -> {now.get(name, 'none')}"
        for name, old in info["versions"].items()
        if now.get(name) != old
    ]
    if changed:
        console.print(
            f"warning: versions changed since the run began ({', '.join(changed)}): the weights "
            "may differ in their last bits from an undisturbed run's.",
            highlight=False,
        )


def _facts(recipe: Recipe, data: Splits, scaling: Normalisation) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "seed": recipe.seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "zoo": __version__,
        "backend": keras.backend.backend(),
        "device": backend.device(),
        "versions": backend.versions(),
        "git_commit": _commit(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "data": {
            "fingerprint": data.fingerprint,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": None if data.test is None else len(data.test),
            "streamed": data.train.streamed,
            "notes": list(data.notes),
        },
        "class_names": list(data.class_names),
        "normalisation": scaling.as_json(),
    }


def _commit() -> str | None:
    """The commit of the folder that the user works in, if it is a git repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


class _Training:
    """One process's part of a run."""

    def __init__(
        self, run: Run, recipe: Recipe, data: Splits, scaling: Normalisation, settings: Settings
    ) -> None:
        self.run = run
        self.recipe = recipe
        self.data = data
        self.settings = settings
        words = recipe.train
        self.batches = batches.Batches(
            data.train, words.batch_size, recipe.seed, recipe.data.augment, words.drop_remainder
        )
        self.validation = batches.InOrder(data.validation)
        self.model = model.build(recipe, len(data.class_names), scaling)
        self.model.compile(
            optimizer=optimize.optimizer(recipe, self.model, self.batches.steps_per_epoch),
            loss=losses.make(words.loss, "float64" if words.dtype_policy == "float64" else None),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            jit_compile=_jit(recipe),
        )

    def go(self, saved: tuple[dict[str, Any], Any] | None) -> Run:
        """Trains from the saved state, or from the start, to the end."""
        for note in self.data.notes:
            self.settings.console.print(f"note: {note}", highlight=False, soft_wrap=True)
        try:
            with Signals() as signals:
                self._fit(saved, signals)
        except Diverged as error:
            self.run.update(status="diverged", reason=str(error))
            raise Diverged(f"{self.run}: {error}") from error
        except (Interrupted, KeyboardInterrupt) as error:
            reason = str(error) or "stopped at once; the last saved state is kept"
            self.run.update(status="interrupted", reason=reason)
            if isinstance(error, Interrupted):
                raise
            raise Interrupted(f"{reason}. Go on with: zoo train --resume {self.run}") from None
        except BaseException as error:
            self.run.update(status="failed", reason=f"{type(error).__name__}: {error}")
            if isinstance(error, MemoryError) or "ResourceExhausted" in type(error).__name__:
                raise ZooError(
                    f"{self.run}: out of memory. Lower train.batch_size, or use "
                    "data.loading: streamed."
                ) from error
            raise
        return self.run

    def _fit(self, saved: tuple[dict[str, Any], Any] | None, signals: Signals) -> None:
        words = self.recipe.train
        notes = saved[0] if saved else {}
        first = int(notes.get("step", 0))
        steps = self.batches.steps_per_epoch
        clock = Clock(first, steps, notes.get("seconds", 0.0))
        rows = [row for row in self.run.rows() if row["step"] <= first] if saved else []
        best = Best(self.run, words.monitor)
        lines = EpochLines(self.settings.console, clock, words.epochs, words.batch_size)
        floor = losses.at_start(words.loss, len(self.data.class_names))
        kept = [Watch(clock, self.batches, words.abort_above, floor), best]
        kept += [*self._early_stopping(), *self.settings.callbacks]
        if self.settings.tensorboard:
            kept.append(keras.callbacks.TensorBoard(str(self.run.tensorboard_folder)))
        keeper = Keeper(
            self.run, clock, signals, kept, words.checkpoint_minutes, words.checkpoint_steps
        )
        # One batch makes the metrics' variables, which a saved state is put into.
        self.model.evaluate(self.validation, steps=1, verbose=0)
        if saved:
            keeper.put_back(*saved)
        part = FirstEpoch(first, steps)
        head = [part, clock, Rows(self.run, clock, len(self.data.train), rows)]
        tail = [lines, keeper, keras.callbacks.LambdaCallback(on_train_batch_end=part.after_others)]
        try:
            if notes.get("stopped") or first >= words.epochs * steps:
                self._put_back_all(keeper)
            else:
                self.model.fit(
                    batches.feed(self.batches, first),
                    epochs=words.epochs,
                    initial_epoch=first // steps,
                    steps_per_epoch=steps,
                    validation_data=self.validation,
                    callbacks=[*head, *kept, *tail],
                    shuffle=False,  # The batches are drawn already.
                    verbose=0,
                )
                keeper.save()
        finally:
            lines.close()
        self._finish(clock, best)

    def _put_back_all(self, keeper: Keeper) -> None:
        """A run that was killed after its last epoch lacks only its ending."""
        keeper.set_model(self.model)
        keeper.on_train_begin()
        keeper.on_epoch_begin(0)

    def _early_stopping(self) -> list[keras.callbacks.Callback]:
        words = self.recipe.train
        if words.early_stopping is None:
            return []
        return [
            keras.callbacks.EarlyStopping(
                monitor=words.monitor,
                mode="max" if words.monitor == "val_accuracy" else "min",
                **words.early_stopping.model_dump(),
            )
        ]

    def _finish(self, clock: Clock, best: Best) -> None:
        if best.epoch is None:
            raise Diverged(
                "diverged: no epoch ended with a finite validation loss. Lower train.optimizer's "
                "learning_rate (try a third), or warm it up with a schedule."
            )
        rows = self.run.rows()
        rates = [rate * self.recipe.train.batch_size for rate in clock.rates]
        self.run.update(
            status="done",
            reason=None,
            epochs=len(rows),
            steps=clock.step,
            stopped_early=len(rows) < self.recipe.train.epochs,
            best_epoch=best.epoch + 1,
            **best.values,
            parameters=self.model.count_params(),
            seconds=round(clock.seconds, 3),
            images_per_second=round(median(rates), 1) if rates else None,
        )


def _jit(recipe: Recipe) -> bool:
    """Whether XLA compiles the step.

    On a CPU, TensorFlow's own kernels are about twice as fast as XLA's for convolutions, and
    Keras's "auto" leaves XLA off there too; XLA cannot keep TensorFlow's determinism.
    """
    asked = recipe.train.jit_compile
    if asked != "auto":
        return asked == "true"
    if keras.backend.backend() == "jax":
        return True
    return backend.on_gpu() and not recipe.train.deterministic
