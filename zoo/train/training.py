"""Trains a recipe through `keras.Model.fit`, so that it can be killed at any time and go on.

`train` makes a run folder and fills it; `resume` goes on with one, to the same final weights, bit
for bit, that it would have had undisturbed. A user's own Keras callbacks fit in.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import keras
from rich.console import Console

from zoo import backend, batches, optimize
from zoo import recipe as recipes
from zoo.data.load import load as load_data
from zoo.data.normalise import Normalisation, normalisation
from zoo.data.splits import Splits
from zoo.errors import DataError, Diverged, EnvironmentFault, Interrupted, RunError, ZooError
from zoo.model import data_dependent_init
from zoo.progress import counting
from zoo.recipe import Recipe
from zoo.recipe.network import stages
from zoo.rundir import Run, write_text
from zoo.train import checkpoint
from zoo.train.averaging import Averaged
from zoo.train.batch_norm_statistics import BatchNormStatistics
from zoo.train.checkpointer import Checkpointer, Signals
from zoo.train.class_weights import class_weights
from zoo.train.components import compiled, early_stopping, lookahead, training_batches, watch
from zoo.train.epoch_lines import EpochLines
from zoo.train.live_checks import LiveChecks
from zoo.train.observers import (
    BestCheckpoint,
    DivergenceGuard,
    FirstEpoch,
    MetricsLogger,
    StepCounter,
)
from zoo.train.run_metadata import digest, facts, warn_versions


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a training is watched; nothing here changes its result."""

    console: Console = field(default_factory=lambda: Console(quiet=True))
    tensorboard: bool = False
    callbacks: Sequence[keras.callbacks.Callback] = ()
    watch: bool = True  # The checks that run live.

    def console_line(self, text: str) -> None:
        """A line for the user, as it is."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def train(recipe: Recipe, out: Path = Path("runs"), settings: Settings | None = None) -> Run:
    """Trains a recipe in a new run folder under `out`.

    Args:
        recipe: as `recipe.load` returns it.
        out: where run folders go: `out/NAME/TIME-HEX`.
        settings: console, TensorBoard and callbacks of the caller's own.

    Returns:
        The run, with status `done` and its best model.

    Raises:
        RecipeError: `train.class_weight` does not fit the classes.
        DataError: the data cannot be used.
        Diverged: the loss left the range in which training makes sense; the run says so too.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    settings = settings or Settings()
    keras_ready(recipe)
    with counting(settings.console) as report:
        data = load_data(recipe, progress=report)
        scaling = normalisation(recipe.data.preprocess, data.train)
    # What only the data can tell to be wrong is told before there is a run.
    class_weights(recipe, data)
    optimize.require_updates(recipe, training_batches(recipe, data).steps_per_epoch)
    run = Run.create(out, recipe.name)
    with run.locked():
        text = recipes.dump(recipe)
        write_text(run.recipe_file, text)
        run.update(status="running", recipe_hash=digest(text), **facts(recipe, data, scaling))
        return _Training(run, recipe, data, scaling, settings).go(None)


def resume(
    path: str | Path, settings: Settings | None = None, overrides: Sequence[str] = ()
) -> Run:
    """Goes on with an interrupted or killed run to the weights that it would have had.

    Args:
        path: the run folder.
        settings: as for `train`.
        overrides: changes of `data.source` alone, for data that were moved.

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
    with run.locked():
        return _resumed(run, info, settings, overrides)


def _resumed(run: Run, info: dict[str, Any], settings: Settings, overrides: Sequence[str]) -> Run:
    if digest(run.recipe_file.read_text(encoding="utf-8")) != info.get("recipe_hash"):
        raise RunError(
            f"{run.recipe_file}: was edited since the run began, and a run goes on as it began. "
            f"Start a new one: zoo train {run.recipe_file}"
        )
    recipe = recipes.reload(run.recipe_file, overrides)
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
    warn_versions(info, settings.console)
    run.update(status="running", host=socket.gethostname(), pid=os.getpid())
    return _Training(run, recipe, data, scaling, settings).go(checkpoint.newest(run.state_folder))


def keras_ready(recipe: Recipe) -> None:
    """Makes the backend ready for a recipe: its seed, and determinism where it is asked for."""
    backend.prepare(deterministic=recipe.train.deterministic, seed=recipe.seed)
    if recipe.train.dtype_policy == "float64" and not backend.has_float64():
        raise EnvironmentFault(
            "train.dtype_policy: float64: JAX computes in 32 bits unless JAX_ENABLE_X64=1 is set."
        )


class _Training:
    """One process's part of a run."""

    def __init__(
        self, run: Run, recipe: Recipe, data: Splits, scaling: Normalisation, settings: Settings
    ) -> None:
        self.run = run
        self.recipe = recipe
        self.data = data
        self.scaling = scaling
        self.settings = settings
        self.batches = training_batches(recipe, data)
        self.validation = batches.EvaluationBatches(data.validation)

    def go(self, saved: tuple[dict[str, Any], Any] | None) -> Run:
        """Trains from the saved state, or from the start, to the end."""
        self._note([*self.data.notes, *self._warnings()])
        try:
            with Signals() as signals:
                steps = self.batches.steps_per_epoch
                self.model = compiled(self.recipe, len(self.data.class_names), self.scaling, steps)
                if saved is None:
                    self._note(
                        data_dependent_init.initialise(self.model, self.recipe, self.data.train)
                    )
                self._fit(saved, signals)
        except (KeyboardInterrupt, Exception) as error:
            told = self._ended(error)
            if told is error:
                raise
            raise told from error
        return self.run

    def _note(self, notes: Sequence[str]) -> None:
        for note in notes:
            self.settings.console.print(f"note: {note}", highlight=False, soft_wrap=True)

    def _ended(self, error: BaseException) -> BaseException:
        """Notes in run.json how the run ended; returns the error that tells the user."""
        status, told = "failed", error
        if isinstance(self.batches.error, ZooError):
            # Keras and tf.data wrap what goes wrong while a batch is made.
            told = self.batches.error
        elif isinstance(error, Diverged):
            status, told = "diverged", Diverged(f"{self.run}: {error}")
        elif isinstance(error, Interrupted):
            status = "interrupted"
        elif isinstance(error, KeyboardInterrupt):
            status, told = (
                "interrupted",
                Interrupted(
                    "stopped at once; the last saved state is kept. "
                    f"Go on with: zoo train --resume {self.run}"
                ),
            )
        elif isinstance(error, MemoryError) or "ResourceExhausted" in type(error).__name__:
            told = ZooError(
                f"{self.run}: out of memory. Lower train.batch_size, or use data.loading: streamed."
            )
        reason = str(error) if isinstance(told, ZooError) else f"{type(error).__name__}: {error}"
        self.run.update(status=status, reason=reason or str(told))
        if isinstance(told, ZooError):
            told.facts = {"run": str(self.run), "status": status}
        return told

    def _warnings(self) -> list[str]:
        """What about this recipe and these data together is likely to hurt."""
        words, rest = self.recipe.train, len(self.data.train) % self.recipe.train.batch_size
        inner = stages(self.recipe.model.stack, ())
        normed = any(getattr(stage.options, "batch_norm", None) for _, stage in inner)
        if rest == 1 and normed and not words.drop_remainder:
            return [
                "the last batch of each epoch is a single image, of which batch norm learns "
                "nothing good: set train.drop_remainder=true, or another train.batch_size"
            ]
        return []

    def _fit(self, saved: tuple[dict[str, Any], Any] | None, signals: Signals) -> None:
        words = self.recipe.train
        notes = saved[0] if saved else {}
        first = int(notes.get("step", 0))
        steps = self.batches.steps_per_epoch
        clock = StepCounter(first, steps, notes.get("seconds", 0.0))
        rows = [row for row in self.run.rows() if row["step"] <= first] if saved else []
        best = BestCheckpoint(self.run, words.monitor)
        lines = EpochLines(self.settings.console, clock, words.epochs, self.batches)
        kept: list[Any] = [watch(self.recipe, self.data, self.batches, clock)]
        if words.batch_norm_batches:
            kept.append(BatchNormStatistics(self.batches, clock, words.batch_norm_batches))
        kept.append(best)
        watcher = self._babysitter(clock, kept[0])
        kept += [watcher] if watcher else []
        kept += lookahead(self.recipe, self.model, clock, steps)
        kept += [*early_stopping(self.recipe), *self.settings.callbacks]
        if self.settings.tensorboard:
            kept.append(keras.callbacks.TensorBoard(str(self.run.tensorboard_folder)))
        keeper = Checkpointer(
            self.run, clock, signals, kept, words.checkpoint_minutes, words.checkpoint_steps
        )
        # One batch makes the metrics' variables, which a saved state is put into.
        self.model.evaluate(self.validation, steps=1, verbose=0)
        if saved:
            keeper.put_back(*saved)
        part = FirstEpoch(first, steps)
        head = [part, clock, MetricsLogger(self.run, clock, rows, lambda: _looked_at(watcher))]
        tail = [lines, keeper, keras.callbacks.LambdaCallback(on_train_batch_end=part.after_others)]
        if words.ema:
            averaged = Averaged()
            head.append(averaged)
            tail.insert(0, keras.callbacks.LambdaCallback(on_epoch_end=averaged.after_others))
        try:
            if notes.get("stopped") or first >= words.epochs * steps:
                self._put_back_all(keeper)
                if watcher:
                    watcher.set_model(self.model)
                    watcher.on_train_end()
            else:
                self.model.fit(
                    batches.training_dataset(self.batches, first),
                    epochs=words.epochs,
                    initial_epoch=first // steps,
                    steps_per_epoch=steps,
                    validation_data=self.validation,
                    callbacks=[*head, *kept, *tail],
                    shuffle=False,  # The batches are drawn already.
                    verbose=0,
                )
                keeper.save()
        except Diverged as error:
            if watcher:
                watcher.diverged(str(error))
            raise
        finally:
            lines.close()
            if watcher:
                watcher.close()
        self._finish(clock, best)

    def _put_back_all(self, keeper: Checkpointer) -> None:
        """A run that was killed after its last epoch lacks only its ending."""
        keeper.set_model(self.model)
        keeper.on_train_begin()
        keeper.on_epoch_begin(0)

    def _babysitter(self, clock: StepCounter, loss: DivergenceGuard) -> LiveChecks | None:
        if not self.settings.watch:
            return None
        return LiveChecks(
            self.run, self.recipe, self.data, clock, loss, loss.floor, self.settings.console_line
        )

    def _finish(self, clock: StepCounter, best: BestCheckpoint) -> None:
        if best.epoch is None:
            raise Diverged(
                "diverged: no epoch ended with a finite validation loss. Lower train.optimizer's "
                "learning_rate (try a third), or warm it up with a schedule."
            )
        rows = self.run.rows()
        rates = [rate * self.batches.images_per_step for rate in clock.rates]
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


def _looked_at(watcher: LiveChecks | None) -> dict[str, Any]:
    return {} if watcher is None else {"update_ratio": watcher.update_ratio}
