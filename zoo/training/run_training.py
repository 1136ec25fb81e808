"""Trains a recipe through `keras.Model.fit`, so that it can be killed at any time and go on.

`train` fills a new run folder; `zoo.training.resuming` goes on with one that was begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import keras

from zoo import backend, optimize
from zoo import recipe as recipes
from zoo.artifact import model_file
from zoo.artifact.warm_start import WarmStart, frozen_lines
from zoo.backend import devices, processes, supervisor
from zoo.class_weights import checked_class_weights
from zoo.datasets.load import load as load_data
from zoo.datasets.normalise import Normalisation, normalisation
from zoo.datasets.splits import Splits
from zoo.errors import DamagedFile, Diverged, StorageFault
from zoo.model import backbone_weights, unbuilt
from zoo.model.start import prepared, set_start
from zoo.plan import plan
from zoo.plan.capacity import require_memory
from zoo.plugins import recipe_parts
from zoo.progress import progress_bar
from zoo.recipe import Recipe
from zoo.recipe.augment import label_changes
from zoo.recipe.backbone import learns_from_batches
from zoo.recipe.resolve import with_value_range
from zoo.rundir import Run, write_text
from zoo.rundir.follower import FollowerRun
from zoo.training import alike, checkpoint, components, disk, run_metadata
from zoo.training.agreement import agreement
from zoo.training.best_model import BestModel
from zoo.training.checkpoint import Checkpointer
from zoo.training.ending import record_failure
from zoo.training.energy import metered
from zoo.training.epoch_lines import EpochLines
from zoo.training.epoch_records import BestEpoch, MetricsLogger
from zoo.training.fit_callbacks import FitCallbacks, StepLosses
from zoo.training.interrupts import Signals
from zoo.training.live_checks import LiveChecks
from zoo.training.loop.choose import LoopChoice, choose
from zoo.training.observers import Observer, StepCounter
from zoo.training.preparing import prepare_keras
from zoo.training.selection import require_defined, unnamed_classes, with_monitor
from zoo.training.settings import TrainingSettings
from zoo.training.state_file import Saved
from zoo.training.tracked import TrackedEpochs, tracked
from zoo.training.validation_metrics import ValidationMetrics


@devices.held_until_end()
def train(
    recipe: Recipe,
    out: Path = Path("runs"),
    settings: TrainingSettings | None = None,
    folder: Path | None = None,
) -> Run:
    """Trains a recipe in a new run folder under `out`.

    Args:
        recipe: as `recipe.load` returns it.
        out: where run folders go: `out/NAME/TIME-HEX`.
        settings: console, TensorBoard and callbacks of the caller's own.
        folder: the run folder itself, which holds no run yet; None: a new one.

    Returns:
        The run, with status `done` and its best model.

    Raises:
        RecipeError: `train.class_weight` does not fit the classes, or an epoch has fewer steps
            than `train.gradient_accumulation_steps`, or a monitor is undefined for the data.
        DataError: the data cannot be used.
        EnvironmentFault: a package or the device is missing, JAX computes in 32 bits only, or no
            memory here can hold the training.
        UsageError: the devices do not divide a batch.
        StorageFault: the disk has too little room, or failed; the run can be resumed.
        ZooError: out of memory.
        Diverged: the loss diverged; run.json says so too.
        Interrupted: Ctrl-C or SIGTERM came; the run can be resumed.
    """
    settings = settings or TrainingSettings()
    require_memory(recipe)
    prepare_keras(recipe, settings.devices, settings.print_note)
    backbone_weights.require(recipe)
    with progress_bar(settings.console) as report:
        data = load_data(recipe, progress=report)
        own_scaling = normalisation(recipe.data.preprocess, data.train)
    # The run's recipe holds the range that was measured, so that all that comes later uses it.
    recipe = with_value_range(recipe, data.value_range)
    recipe, line = with_monitor(recipe, data.train)
    if line:
        settings.print_line(line)
    # Errors that only the data reveal are raised before the run folder exists.
    require_defined(recipe, data.validation)
    checked_class_weights(recipe, data)
    steps_per_epoch = components.training_batches(recipe, data).steps_per_epoch
    optimize.require_updates(recipe, steps_per_epoch)
    recipe, warm, scaling, notes = prepared(recipe, len(data.class_names), own_scaling)
    loop = alike.agreed_loop(choose(recipe, data))
    known = run_metadata.at_start(recipe, data, scaling, loop)
    known |= {"warm_start": warm.as_json()} if warm else {}
    alike.require_alike(recipe, known)
    run = _new_run(out, recipe, folder)
    with run.locked(), metered(run):
        try:
            write_text(run.recipe_file, recipes.dump(recipe))
            run.update(status="running", **known, **settings.recorded)
            recipe_parts.keep_sources(run, recipe)
        except StorageFault as error:
            run.remove()
            raise error.adding("Nothing was trained yet.") from error
        training = Training(run, recipe, data, scaling, settings, loop, warm)
        training.notes += notes
        return training.go(None)


def _new_run(out: Path, recipe: Recipe, folder: Path | None) -> Run:
    """The folder of a new run; processes that do not own it get a stand-in."""
    if processes.is_first():
        run = Run.create(out, recipe.name) if folder is None else Run.at(folder)
        processes.from_first("run", lambda: str(run))
    else:
        run = FollowerRun(processes.from_first("run", str))
        supervisor.tell(scratch=str(run.folder))
    supervisor.tell(resume=processes.resume_command(run))
    return run


class Training:
    """Trains one run in this process, from the start or from a saved state."""

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        data: Splits,
        scaling: Normalisation,
        settings: TrainingSettings,
        loop: LoopChoice,
        warm: WarmStart | None = None,
    ) -> None:
        self.run = run
        self.warm = warm
        self.notes: list[str] = []
        self.loop = loop
        self.recipe = recipe
        self.data = data
        self.scaling = scaling
        self.settings = settings
        self.recipe_hash = str(run.info()["recipe_hash"])
        self.plan = plan(recipe, len(data.class_names))
        self.batches = components.training_batches(recipe, data)

    def go(self, saved: Saved | None) -> Run:
        """Trains from the saved state, or from the start, to the end."""
        self._print_notes([*self.data.notes, *self.notes, *self._warnings()])
        for line in self._start_lines(saved):
            self.settings.print_line(line)
        device = f"{backend.device()}{devices.current()}"
        self.settings.print_line(f"{keras.backend.backend()} on {device}; {self.loop}")
        try:
            with Signals() as signals, tracked(self.run, self.settings) as self.tracking:
                steps = self.batches.steps_per_epoch
                epochs = int(saved[0].get("step", 0)) // steps if saved else 0
                self.model = components.compiled(
                    self.recipe, self.plan, self.scaling, steps, epochs, self.data.multi_label
                )
                self.validated = ValidationMetrics(self.model, self.data.validation, self.recipe)
                if saved is None:
                    start = (self.recipe, self.data.train, self.plan, self.warm)
                    self._print_notes(set_start(self.model, *start))
                    self.warm = None  # Their memory is free again.
                self._fit(saved, signals)
        except BaseException as error:  # A callback may call sys.exit.
            raised = record_failure(self.run, self.recipe, self.plan, error, self.batches.error)
            if raised is error:
                raise
            raise raised from error
        return self.run

    def _print_notes(self, notes: Sequence[str]) -> None:
        for note in notes:
            self.settings.print_note(note)

    def _start_lines(self, saved: Saved | None) -> list[str]:
        """Returns what is taken over of trained weights, and what is frozen."""
        if self.warm is not None and saved is None:
            return self.warm.lines()
        step = int(saved[0].get("step", 0)) if saved else 0
        return frozen_lines(self.plan, step // self.batches.steps_per_epoch + 1)

    def _warnings(self) -> list[str]:
        """Returns warnings about this recipe combined with these data."""
        names, shape = self.data.class_names, self.data.image_shape
        changes = label_changes(self.recipe, names, shape[-1])
        differences = self.warm.notes(names, shape) if self.warm else []
        return [*changes, *differences, *self._batch_warnings()]

    def _batch_warnings(self) -> list[str]:
        """Returns warnings about batches that are too large or too small."""
        config = self.recipe.train
        images = len(self.data.train)
        if images < config.batch_size:
            return [
                f"train.batch_size {config.batch_size:,} is more than the {images:,} training "
                "images: each epoch is one step with all of them"
            ]
        images_in_last_batch = images % config.batch_size
        normed = learns_from_batches(self.recipe.model)
        if images_in_last_batch == 1 and normed and not config.drop_remainder:
            return [
                "the last batch of each epoch is a single image, of which batch norm learns "
                "nothing good: set train.drop_remainder=true, or another train.batch_size"
            ]
        return []

    def _fit(self, saved: Saved | None, signals: Signals) -> None:
        config, steps = self.recipe.train, self.batches.steps_per_epoch
        notes = saved[0] if saved else {}
        step = int(notes.get("step", 0))
        counter = StepCounter(steps, config.epochs, step, notes.get("seconds", 0.0))
        checks = self._live_checks()
        if step > counter.steps:
            raise DamagedFile(
                f"{self.run.state_folder}: step: Expected at most {counter.steps}, the end of the "
                f"training. Received {step}; start again with `zoo train`."
            )
        metrics = self._metrics_logger(step if saved else None, checks)
        if saved and self.run.model_file.is_file():
            with devices.of_this_process():
                layers = unbuilt.layers(self.recipe, self.plan)
                model_file.check(self.run.model_file, self.plan, layers)
        best = BestModel(self.run, config.monitor, lambda: self.validated.never_predicted)
        watching: list[Observer] = [metrics, TrackedEpochs(self.tracking, metrics), best]
        watching += [checks] if checks else []
        subject = (self.recipe, self.data, self.batches, self.model, self.plan)
        observers = components.observers(*subject, watching)
        callbacks = [*components.keras_callbacks(self.recipe), *self.settings.callbacks]
        losses = StepLosses(self.batches.size)
        lines = EpochLines(self.settings.console, self.batches.images_per_step, config.monitor)
        agreed = agreement(signals)
        checkpointer = Checkpointer(
            self.run, agreed or signals, observers, callbacks, losses,
            config.checkpoint_minutes, config.checkpoint_steps, saved, self.recipe_hash,
        )  # fmt: skip
        # Makes the metrics' variables, into which a saved state is loaded.
        device_loop, validation = components.loops(self.model, self.batches, self.data, self.loop)
        if checks:
            checks.validation = validation
        fit = FitCallbacks(
            [*observers, lines, checkpointer], callbacks, self.model, counter, losses,
            self.validated, agreed,
        )  # fmt: skip
        try:
            if notes.get("stopped") or step >= counter.steps:
                # The run was killed after its last epoch: only its end is missing.
                checkpointer.restore_all()
                if checks:
                    checks.on_train_end()
            else:
                state = checkpoint.variables(self.model, checkpointer.more)
                disk.require_room(self.run, state, self.model.weights)
                components.fit(self.model, self.batches, validation, fit, device_loop)
                checkpointer.save()
        except Diverged as error:
            if checks:
                checks.diverged(str(error))
            raise
        finally:
            lines.close()
            if checks:
                checks.close()
            best.write()
        compiled = device_loop.compile_seconds + validation.compile_seconds if device_loop else None
        self._finish(counter, best, compiled)

    def _metrics_logger(self, step: int | None, checks: LiveChecks | None) -> MetricsLogger:
        """Goes on with metrics.jsonl from a saved state; says in a line which rows are missing."""
        rows = [] if step is None else self.run.rows(self.settings.print_line)
        rows = [row for row in rows if (row.get("step") or 0) <= (step or 0)]
        epochs = range(1, (step or 0) // self.batches.steps_per_epoch + 1)
        missing = sorted({*epochs} - {row["epoch"] for row in rows})
        if missing:
            self.settings.print_line(
                f"note: {self.run.metrics_file}: the rows of {len(missing)} of {len(epochs)} "
                f"finished epochs are missing, from epoch {missing[0]} on; training goes on "
                "without them"
            )
        return MetricsLogger(
            rows,
            self.run.write_rows,
            lambda: {"update_ratio": checks.update_ratio} if checks else {},
            timed=True,
        )

    def _live_checks(self) -> LiveChecks | None:
        if not self.settings.watch:
            return None
        return LiveChecks(
            self.run, self.recipe, self.plan.layers, self.data, self.batches,
            self.settings.print_line, (self.run.info().get("warm_start") or {}).get("loaded", ()),
        )  # fmt: skip

    def _finish(self, counter: StepCounter, best: BestEpoch, compile_seconds: float | None) -> None:
        if best.epoch is None:
            raise Diverged(
                "diverged: no epoch ended with a finite validation loss. Lower train.optimizer's "
                "learning_rate (try a third), or warm it up with a schedule."
            )
        if self.run.owned and not self.run.model_file.is_file():
            raise DamagedFile(
                f"{self.run.model_file}: the model of epoch {best.epoch + 1}, the best one, is "
                "missing. Bring it back from a copy, or train again."
            )
        # Not the rows of metrics, which may have been lost; a callback may stop within an epoch.
        epochs = -(-counter.step // counter.steps_per_epoch)
        rates = [rate * self.batches.images_per_step for rate in counter.steps_per_second]
        self.run.update(
            **run_metadata.at_end(
                best, self.data.class_names, epochs, counter.step, self.model.count_params()
            ),
            reason=None,
            stopped_early=epochs < self.recipe.train.epochs,
            seconds=round(counter.seconds, 3),
            compile_seconds=compile_seconds and round(compile_seconds, 3),
            first_step_seconds=counter.first_step_seconds,
            images_per_second=round(median(rates), 1) if rates else None,
            model_sha256=self.run.model_digest() if self.run.owned else None,
        )
        if best.unnamed:
            names = [self.data.class_names[number] for number in best.unnamed]
            self.settings.print_line(
                unnamed_classes(self.recipe, self.data.train, names, best.epoch + 1)
            )
