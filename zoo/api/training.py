"""`zoo.train`: trains a recipe or resumes a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from zoo import rundir as folders
from zoo.api.arguments import as_list, checked
from zoo.api.arguments import path as check_path
from zoo.api.backend import Device, prepare, require_choice
from zoo.api.recipes import Overrides, RecipeLike, as_given, as_overrides
from zoo.api.run import Run
from zoo.api.runs import Runs
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded
from zoo.backend.device_request import Asked, Request, parse
from zoo.errors import UsageError
from zoo.recipe.moved import moved
from zoo.rundir.folder import stamped
from zoo.trackers.session import Tracking
from zoo.verbs import fold_choice, train_seeds
from zoo.verbs.finish_training import finish, report_training
from zoo.verbs.teller import Teller
from zoo.verbs.training import TrainJob
from zoo.verbs.training import train as train_or_resume

if TYPE_CHECKING:
    import keras

    Callbacks = Sequence[keras.callbacks.Callback]

Resumed = str | os.PathLike[str] | Run | Runs


@overload
def train(
    recipe: RecipeLike | None = None,
    overrides: Overrides | None = None,
    *,
    callbacks: Callbacks = (),
    epochs: int | None = None,
    resume: str | os.PathLike[str] | Run | None = None,
    seeds: None = None,
    folds: None = None,
    devices: int | Literal["all"] | None = None,
    allow_other_devices: bool = False,
    device: Device = None,
    out: str | os.PathLike[str] | None = None,
    log: str | Sequence[str] | None = None,
    tensorboard: bool | None = None,
    evaluate: bool | None = None,
    export: bool | None = False,
    quiet: bool = False,
) -> Run: ...


@overload
def train(
    recipe: RecipeLike | None = None,
    overrides: Overrides | None = None,
    *,
    callbacks: Callbacks = (),
    epochs: int | None = None,
    resume: Runs | None = None,
    seeds: int | None = None,
    folds: int | None = None,
    devices: int | Literal["all"] | None = None,
    allow_other_devices: bool = False,
    device: Device = None,
    out: str | os.PathLike[str] | None = None,
    log: str | Sequence[str] | None = None,
    tensorboard: bool | None = None,
    evaluate: bool | None = None,
    export: bool | None = False,
    quiet: bool = False,
) -> Runs: ...


@worded
@checked
def train(
    recipe: RecipeLike | None = None,
    overrides: Overrides | None = None,
    *,
    callbacks: Callbacks = (),
    epochs: int | None = None,
    resume: Resumed | None = None,
    seeds: int | None = None,
    folds: int | None = None,
    devices: int | Literal["all"] | None = None,
    allow_other_devices: bool = False,
    device: Device = None,
    out: str | os.PathLike[str] | None = None,
    log: str | Sequence[str] | None = None,
    tensorboard: bool | None = None,
    evaluate: bool | None = None,
    export: bool | None = False,
    quiet: bool = False,
) -> Run | Runs:
    """Trains a recipe in a new run folder, or resumes a run; as `zoo train`.

    Ctrl-C, or the stop button of a notebook, ends the training at its next step; its state is kept,
    and `Interrupted` is raised, which says how to resume it. A second one ends it at once.

    Args:
        recipe: whatever `zoo.load` takes; None to resume a run.
        overrides: likewise; with `resume` of `data.source` and `plugins`, for images and parts of
            your own that were moved, and of `train.epochs`, for more of them.
        callbacks: Keras callbacks of your own. One that looks at single steps slows a training.
        epochs: number of epochs, instead of the recipe's; with `resume` more of them.
        resume: a run that was interrupted, or is to have more epochs; its folder or the `Run`. Or
            the folder of a cross-validation.
        seeds: train so many times, with the recipe's seed and those after it.
        folds: cross-validate: train so many times, each time with another part to validate on.
        devices: number of devices that share each batch, or `all`; None: one.
        allow_other_devices: resume with another number of devices, which gives other last bits.
        device: `cpu`: leave GPUs alone; `gpu`: require one; None: what the backend takes.
        out: where the run folder is made, as `OUT/NAME/TIME`; None: `runs`.
        log: trackers: words of `mlflow`, `wandb`, `tensorboard`, `csv`; None: those of the variable
            ZOO_LOG, with `resume` as it was begun.
        tensorboard: the same as `tensorboard` in `log`.
        evaluate: measure the best model on the test split at the end; None: yes, with `folds` no,
            with `resume` as it was begun.
        export: export the best model as a SavedModel at the end; None: as `zoo train` does.
        quiet: whether nothing is printed.

    Returns:
        The run; with `seeds` or `folds` all of them.

    Raises:
        RecipeError: the recipe is wrong, or does not fit the data.
        UsageError: arguments that exclude each other, or devices that do not divide a batch.
        DataError: the images cannot be used.
        RunError: what is to be resumed is no run, or is still running.
        EnvironmentFault: the backend or the device cannot be used, or memory does not suffice.
        Diverged: the loss diverged; `error.facts["run"]` is the run's folder.
        Interrupted: see above; `error.facts["run"]` is the run's folder.
    """
    if (recipe is None) == (resume is None):
        raise UsageError("Expected either a recipe or resume=RUN, and not both.")
    if allow_other_devices and resume is None:
        raise UsageError("allow_other_devices belongs to resume. Leave it out.")
    changes = as_overrides(overrides)
    changes += () if epochs is None else (f"train.epochs={epochs}",)
    given = None if recipe is None else as_given(recipe, changes)
    job = TrainJob(
        recipe=None if given is None else given.source,
        overrides=changes if given is None else given.overrides,
        resume=_folder(resume),
        folder=None if out is None else Path(out).expanduser(),
        given={"evaluate": evaluate, "export": export, "tensorboard": tensorboard},
        log=as_list(log),
        asked=Asked(_request(devices), allow_other_devices),
        callbacks=tuple(callbacks),
        warned=given is not None and given.warned,
    )
    require_choice(device)
    if device is not None:
        prepare(device)
    group = None if seeds is None else stamped("seeds-")
    with PythonTeller(quiet) as teller, Tracking(teller.note, group) as tracking:
        job = replace(job, tracking=tracking)
        if fold_choice.cross_validate_if_asked(teller, job, seeds, folds):
            return _folds(teller)
        if seeds is None:
            return _once(teller, job)
        return _seeds(teller, job, seeds)


def _folder(resume: Resumed | None) -> str | None:
    if isinstance(resume, Run | Runs):
        if resume.path is None:
            raise UsageError("resume: runs of several seeds are resumed one by one.")
        return str(resume.path)
    if resume is None:
        return None
    check_path("resume", resume)
    return os.fspath(resume)


def _request(devices: int | str | None) -> Request:
    return parse(None if devices is None else str(devices))


def _once(teller: Teller, job: TrainJob) -> Run:
    """Trains, measures and exports."""
    folder, flags = train_or_resume(teller, job)
    report_training(teller, folder)
    finish(teller, folder, job, flags)
    teller.text(f"run       {folder}")
    if job.tracking is not None:
        job.tracking.end()
    return _opened(folder, job)


def _opened(folder: folders.Run, job: TrainJob) -> Run:
    return Run(folder, overrides=moved(job.overrides) if job.resume else ())


def _seeds(teller: Teller, job: TrainJob, seeds: int) -> Runs:
    """Trains with one seed after the other."""
    if job.resume is not None:
        raise UsageError("seeds trains a recipe anew. Leave it out to resume one of its runs.")
    if seeds < 2:
        raise UsageError(f"seeds: Expected 2 or more. Received {seeds}.")
    runs: list[Run] = []

    def one(part: Teller, changes: Sequence[str]) -> None:
        runs.append(_once(part, replace(job, overrides=tuple(changes), warned=True)))

    train_seeds.train(teller, job.source, job.overrides, seeds, one, job.asked.request)
    return Runs(runs, (teller.document or {})["seeds"])


def _folds(teller: Teller) -> Runs:
    """The runs of a cross-validation that has ended."""
    document: dict[str, Any] = teller.document or {}
    rows = document["folds"]
    return Runs(
        [Run(folders.Run(Path(row["run"]))) for row in rows], rows, Path(document["folder"])
    )
