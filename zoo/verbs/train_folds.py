"""`zoo train --folds`: k-fold cross-validation, a run for each fold; and its resuming."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zoo.backend.device_request import Asked, Request, require_batch, require_devices
from zoo.errors import Diverged, Interrupted, RunError, StorageFault, UsageError, ZooError
from zoo.verbs.finish_training import finish_trained, report_training
from zoo.verbs.fold_table import NAMES, table
from zoo.verbs.folders import RUNS, require_no_move
from zoo.verbs.reporting import require_report
from zoo.verbs.teller import Teller
from zoo.verbs.tracking import start_tracking

if TYPE_CHECKING:
    from zoo.recipe import Recipe
    from zoo.rundir import Folds
    from zoo.trackers.session import Tracking
    from zoo.verbs.training import TrainJob

# The test stays untouched, and models of single folds are seldom deployed.
FLAGS = {"evaluate": False, "export": False, "tensorboard": False, "report": False}


def begin(out: Teller, job: TrainJob, count: int) -> None:
    """Train every fold of a recipe in turn, and tell mean and standard deviation.

    Args:
        out: where to print.
        job: what to train.
        count: number of folds.

    Raises:
        RecipeError: the recipe is wrong.
        Diverged: a fold diverged; the others are trained all the same.
        Interrupted: Ctrl-C or SIGTERM came; the folds can be resumed.
    """
    from zoo import recipe as recipes
    from zoo.plan.capacity import require_memory
    from zoo.plugins import recipe_parts
    from zoo.rundir import Folds, require_writable, write_text
    from zoo.rundir.recipe_text import text_digest
    from zoo.version import __version__

    recipe, overrides, folder = job.source, job.overrides, job.folder or RUNS
    request = job.asked.request
    changes = [*overrides, "data.fold=none"]
    loaded = recipes.load(recipe, changes, out.warn, out.note)
    out.locate = recipes.locator(recipe, overrides)
    recipes.load(recipe, [*changes, _fold(1, count)])
    single = recipes.load(recipe, overrides).data.fold
    if single is not None:
        out.note(
            f"note: data.fold ({single.index} of {single.of}) is left aside: "
            f"--folds trains all {count}"
        )
    if isinstance(request, int):
        require_batch(loaded.train.batch_size, request)
    recipe_parts.require(loaded)
    require_memory(loaded)
    require_writable(folder)
    flags = FLAGS | {name: value for name, value in job.given.items() if value is not None}
    if flags["report"]:
        require_report(folder)
    given = job.given.get("tensorboard")
    tracking = start_tracking(job.tracking, job.log, given, flags)
    backend, devices = _prepare(out, loaded, None, request)
    tracking.require()
    folds = Folds.create(folder, loaded.name)
    text = recipes.dump(loaded)
    with folds.locked():  # Before folds.json says running: without the lock it would look killed.
        write_text(folds.recipe_file, text)
        folds.update(
            status="running", name=loaded.name, of=count, recipe_hash=text_digest(text),
            backend=backend, started=time.strftime("%Y-%m-%dT%H:%M:%S%z"), zoo=__version__,
            pid=os.getpid(), host=socket.gethostname(), flags=flags, folds=[], devices=devices,
            **recipe_parts.recorded(loaded),
        )  # fmt: skip
        _Folds(out, folds, job, (), flags, Asked(devices), tracking).train()


def resume(out: Teller, job: TrainJob) -> None:
    """Go on with a cross-validation: folds that are done stay, the others are resumed or begun.

    Args:
        out: where to print.
        job: with the folder to resume; its overrides say where data and own parts are now.

    Raises:
        UsageError: a change of anything else.
        RunError: another number of devices, or another text of a part.
        DamagedFile: folds.json or recipe.yaml was edited.
        Diverged: as for `begin`.
        Interrupted: as for `begin`.
    """
    from zoo import recipe as recipes
    from zoo.plugins import recipe_parts
    from zoo.recipe.moved import is_moved
    from zoo.rundir import Folds
    from zoo.rundir.recipe_text import require_unchanged

    overrides, asked = job.overrides, job.asked
    folds = Folds.open(str(job.resume))
    require_no_move(job.folder, folds.folder)
    info = folds.info()
    for override in overrides:
        if not is_moved(override):
            raise UsageError(
                f"--set {override}: a cross-validation stays as it was begun; only data.source and "
                "plugins may be changed, for data and parts of your own that were moved. More "
                f"epochs for a single fold: zoo train --resume {folds.run(1)} --set train.epochs=N"
            )
    recipe_parts.require_recorded(folds, info, overrides)
    require_unchanged(folds, info, overrides)
    loaded = recipes.load(str(folds.recipe_file), overrides)
    recipe_parts.require_same(folds, info, loaded)
    recipe_parts.require(loaded)
    out.locate = recipes.locator(str(folds.recipe_file), overrides)
    flags = FLAGS | (info.get("flags") or {})
    flags |= {name: value for name, value in job.given.items() if value is not None}
    if flags["report"]:
        require_report(folds.folder)
    begun = int(info.get("devices") or 1)
    request = require_devices(begun, asked.request, asked.allow_others, str(folds))
    given = job.given.get("tensorboard")
    log = info.get("log") or ()
    tracking = start_tracking(job.tracking, job.log, given, flags, log, folds)
    _, count = _prepare(out, loaded, info["backend"], request)
    tracking.require()
    require_devices(begun, count, asked.allow_others, str(folds))
    asked = Asked(count, asked.allow_others)
    with folds.locked():
        folds.update(devices=count)
        _Folds(out, folds, job, overrides, flags, asked, tracking).train()


def _fold(index: int, count: int) -> str:
    return f"data.fold={{index: {index}, of: {count}}}"


def _prepare(
    out: Teller, recipe: Recipe, begun_with: str | None, request: Request
) -> tuple[str, int]:
    """Set the backend up; return its name, and the number of devices.

    Raises:
        RunError: it is not the one that the folds were begun with.
        EnvironmentFault: there are fewer devices.
        UsageError: the devices do not divide a batch.
    """
    from zoo import backend
    from zoo.backend import devices

    backend.prepare(
        deterministic=recipe.train.deterministic, preferred=begun_with, say=out.note,
        devices=request,
    )  # fmt: skip
    import keras

    name = str(keras.backend.backend())
    if begun_with not in (None, name):
        raise RunError(
            f"the folds were begun with KERAS_BACKEND={begun_with}; resume them with that backend."
        )
    with devices.held_until_end():
        count = devices.set_up(request).count
    require_batch(recipe.train.batch_size, count)
    return name, count


class _Folds:
    """Trains the folds of one folder, one after the other.

    Args:
        out: where to print.
        folds: the folder, with recipe.yaml and folds.json.
        job: with Keras callbacks of the caller's own.
        moved: changes of `data.source` and `plugins`.
        flags: what to do at the end of each fold.
        asked: the devices.
        tracking: the trackers; the caller closes them.
    """

    def __init__(
        self,
        out: Teller,
        folds: Folds,
        job: TrainJob,
        moved: Sequence[str],
        flags: Mapping[str, bool],
        asked: Asked,
        tracking: Tracking,
    ) -> None:
        self.out = out
        self.tracking = tracking
        self.folds = folds
        self.job = job
        self.moved = moved
        self.asked = asked
        self.flags = dict(flags)
        info = folds.info()
        self.count = int(info["of"])
        self.rows: list[dict[str, Any]] = list(info["folds"])

    def train(self) -> None:
        """Train the folds not done yet, under the caller's lock; print the summary."""
        self.folds.update(
            status="running", pid=os.getpid(), host=socket.gethostname(), flags=self.flags,
            **self.tracking.recorded,
        )  # fmt: skip
        try:
            self._train_all()
            self._summarize()
        finally:
            if self.folds.info_file.is_file():
                self.tracking.begin(self.folds)
                self.tracking.end()

    def _train_all(self) -> None:
        done = {row["fold"] for row in self.rows}
        for index in range(1, self.count + 1):
            if index in done:
                continue
            self.out.text(f"fold      {index} of {self.count}")
            try:
                row = self._row(index)
            except (KeyboardInterrupt, ZooError) as error:
                raise self._stopped(error, index) from error
            self.rows = sorted([*self.rows, row], key=lambda each: each["fold"])
            self.folds.update(folds=self.rows)

    def _row(self, index: int) -> dict[str, Any]:
        """Train one fold; return its row. A fold that diverges does not stop the others."""
        part = self.out.part()
        run = self.folds.run(index)
        try:
            self._train(part, index)
        except Diverged as error:
            self.out.note(f"fold {index}: {error}")
            part.result(error.facts)
        self.tracking.end()
        info = run.info()
        data = info.get("data") or {}
        values = {key: value for key, value in (part.document or {}).items() if key != "run"}
        sizes = {key: data.get(key) for key in ("train", "validation")}
        loss = info.get("val_loss")
        return {"fold": index, "run": run.folder.name, **sizes, "val_loss": loss, **values}

    def _train(self, part: Teller, index: int) -> None:
        from zoo import recipe as recipes
        from zoo.artifact.trained_run import TrainedRun
        from zoo.rundir import Run
        from zoo.training import Settings
        from zoo.training import resume as resume_training
        from zoo.training import train as begin_training

        settings = Settings(
            console=part.console(), tracking=self.tracking, callbacks=self.job.callbacks,
            flags=self.flags, devices=self.asked.request,
            allow_other_devices=self.asked.allow_others,
        )  # fmt: skip
        run = self.folds.run(index)
        if not Run.is_run(run.folder):
            file = str(self.folds.recipe_file)
            fold = [*self.moved, _fold(index, self.count), *self._monitor(index)]
            begin_training(recipes.load(file, fold), settings=settings, folder=run.folder)
        elif run.info()["status"] == "diverged":
            raise Diverged(str(run.info().get("reason") or "diverged"))
        else:
            resume_training(run.folder, settings, self.moved)
        report_training(part, run)
        finish_trained(part, TrainedRun(run, self.moved), self.flags)

    def _monitor(self, index: int) -> list[str]:
        """The metric that selects epochs, so that it is the first fold's in all of them."""
        from zoo import recipe as recipes

        first = self.folds.run(1).recipe_file
        if index == 1 or not first.is_file():
            return []
        return [f"train.monitor={recipes.load(str(first), self.moved).train.monitor}"]

    def _stopped(self, error: KeyboardInterrupt | ZooError, index: int) -> ZooError:
        """The error that ends the folds, with how to go on."""
        interrupted = isinstance(error, (KeyboardInterrupt, Interrupted))
        sentence = f"{len(self.rows)} of {self.count} folds are done and kept"
        command = f"zoo train --resume {self.folds}"
        if not self.rows and not self.folds.run(1).info_file.is_file():
            self.folds.remove()  # The data, say, cannot be used: nothing was begun.
            return error if isinstance(error, ZooError) else Interrupted("interrupted")
        with suppress(StorageFault):  # As if they were killed: the folds can be resumed.
            self.folds.update(status="interrupted" if interrupted else "failed")
        told: ZooError
        if not isinstance(error, ZooError) or interrupted:
            told = Interrupted(f"stopped in fold {index}; {sentence}. Resume with: {command}")
        elif isinstance(error, StorageFault):
            told = error.adding(f"{sentence}. All of them go on with: {command}")
        else:
            told = error
        told.facts = {
            "folder": str(self.folds),
            "status": "interrupted" if interrupted else "failed",
            "folds": self._told_rows(),
        }
        return told

    def _told_rows(self) -> list[dict[str, Any]]:
        return [{**row, "run": str(self.folds.folder / row["run"])} for row in self.rows]

    def _summarize(self) -> None:
        """Write and tell each fold's metrics, their means and standard deviations."""
        good = [row for row in self.rows if row["status"] == "done"]
        diverged = [row["fold"] for row in self.rows if row["status"] != "done"]
        monitor = next((str(row["monitor"]) for row in good), None)
        measured: dict[str, list[float]] = {}
        for key in dict.fromkeys([monitor, *NAMES] if monitor else NAMES):
            values = [row[key] for row in good if row.get(key) is not None]
            if len(values) > 1:
                measured[key] = values
        mean = {key: statistics.mean(values) for key, values in measured.items()}
        deviation = {key: statistics.stdev(values) for key, values in measured.items()}
        status = "diverged" if diverged else "done"
        self.folds.update(status=status, monitor=monitor, mean=mean, sd=deviation)
        self.out.result({"folder": str(self.folds), "status": status, "monitor": monitor})
        self.out.result({"folds": self._told_rows()})
        if good:
            self.out.text(table(good, list(measured) or [str(monitor)]))
        for key in measured:
            self.out.result({key: mean[key], f"{key}_sd": deviation[key]})
            self.out.text(
                f"{NAMES.get(key, key)} {mean[key]:.4f} ± {deviation[key]:.4f} (standard "
                f"deviation, n={len(measured[key])})"
            )
        self.out.text(f"folds     {self.folds}")
        if diverged:
            raise Diverged(
                f"{len(diverged)} of {self.count} folds diverged: {', '.join(map(str, diverged))}. "
                + (
                    "The others are done and kept."
                    if good
                    else "Lower train.optimizer's learning_rate."
                )
            )
