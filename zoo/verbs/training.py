"""Trains a recipe or resumes a run, after whatever is cheap was checked. Light."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.backend import processes
from zoo.backend.device_request import Asked, Request, require_batch, require_devices
from zoo.errors import UsageError
from zoo.verbs.folders import RUNS, require_no_move
from zoo.verbs.several_processes import open_to_resume, task_of_resume
from zoo.verbs.teller import Teller
from zoo.verbs.tracking import start_tracking

if TYPE_CHECKING:
    from zoo.loading import Source
    from zoo.recipe import Recipe
    from zoo.rundir import Run
    from zoo.trackers.session import Tracking

# What a training does at its end if its caller does not say.
FLAGS = {"evaluate": True, "export": True, "tensorboard": False, "report": False}


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """What to train, and how.

    Attributes:
        recipe: as `zoo.loading.load` takes it; None to resume a run.
        overrides: changes of the recipe, as `--set` takes them.
        resume: the run to resume; None to train a recipe.
        folder: where run folders go; None for the default.
        given: flags of what to do at the end, keys of `FLAGS`; None where the caller leaves them to
            the default.
        log: trackers, as values of `--log`; None for the default.
        tracking: takes them; ended by the caller, when it has done all with the run. None: no
            tracker but TensorBoard is told.
        asked: the devices.
        callbacks: Keras callbacks of the caller's own.
        warned: whether the recipe's warnings were given already.
    """

    recipe: Source | None = None
    overrides: Sequence[str] = ()
    resume: str | None = None
    folder: Path | None = None
    given: Mapping[str, bool | None] = field(default_factory=dict)
    log: Sequence[str] | None = None
    tracking: Tracking | None = None
    asked: Asked = field(default_factory=Asked)
    callbacks: Sequence[Any] = ()
    warned: bool = False

    @property
    def source(self) -> Source:
        """The recipe of a job that has one.

        Raises:
            UsageError: it has none.
        """
        if self.recipe is None:
            raise UsageError("Expected a RECIPE.")
        return self.recipe


@dataclass(frozen=True)
class _Prepared:
    """A job that was checked.

    Attributes:
        recipe: to be trained.
        request: the devices.
        flags: of what to do at the end.
        resumed: the run to resume; None to begin one.
        backend: the backend that it was begun with; None if it is new.
        log: the trackers that it was begun with; None if it is new.
    """

    recipe: Recipe
    request: Request
    flags: dict[str, bool]
    resumed: Run | None = None
    backend: str | None = None
    log: Sequence[str] | None = None


def train(
    out: Teller, job: TrainJob, meet: Callable[[str], None] = lambda task: None
) -> tuple[Run, dict[str, bool]]:
    """Train a recipe or resume a run; whatever is cheap is checked before Keras is imported.

    Args:
        out: is told notes and warnings, and how the training goes.
        job: what to do.
        meet: called with what the process is to do, before it is begun: meets other processes.

    Returns:
        The run, and the flags that hold: those given, else those that the run was begun with.

    Raises:
        ZooError: as `zoo.training.train` and `resume`.
    """
    from zoo import backend
    from zoo.verbs.reporting import require_report

    prepared = _to_begin(out, job, meet) if job.resume is None else _to_resume(out, job, meet)
    flags = prepared.flags
    flags |= {name: value for name, value in job.given.items() if value is not None}
    if flags["report"] and processes.is_first():
        require_report(prepared.resumed.folder if prepared.resumed else job.folder or RUNS)
    if job.tracking is not None and processes.is_first():
        start_tracking(
            job.tracking, job.log, job.given.get("tensorboard"), flags, prepared.log,
            prepared.resumed,
        )  # fmt: skip
    backend.prepare(
        deterministic=prepared.recipe.train.deterministic, preferred=prepared.backend,
        say=out.note, devices=prepared.request,
    )  # fmt: skip
    from zoo.training import TrainingSettings
    from zoo.training import resume as resume_training
    from zoo.training import train as begin_training

    settings = TrainingSettings(
        console=out.console(), tensorboard=flags["tensorboard"], tracking=job.tracking,
        callbacks=job.callbacks, flags=flags, devices=job.asked.request,
        allow_other_devices=job.asked.allow_others,
    )  # fmt: skip
    if job.tracking is not None:
        job.tracking.require()
    if prepared.resumed is None:
        run = begin_training(prepared.recipe, job.folder or RUNS, settings)
    else:
        run = resume_training(prepared.resumed, settings, job.overrides)
        if job.tracking is not None and run.owned:
            job.tracking.begin(run)  # Of a run that was done already, too.
    return run, flags


def _to_begin(out: Teller, job: TrainJob, meet: Callable[[str], None]) -> _Prepared:
    """Load and check a recipe that is to be trained."""
    from zoo import recipe as recipes
    from zoo.plan.capacity import require_memory
    from zoo.plugins import recipe_parts
    from zoo.rundir import require_writable

    tell = () if job.warned or not processes.is_first() else (out.warn, out.note)
    source = job.source
    loaded = recipes.load(source, job.overrides, *tell)
    out.locate = recipes.locator(source, job.overrides)
    require_batch_of(job.asked.request, loaded)
    recipe_parts.require(loaded)
    require_memory(loaded)
    if processes.is_first():
        require_writable(job.folder or RUNS)
    meet("train a recipe")
    return _Prepared(loaded, job.asked.request, dict(FLAGS))


def _to_resume(out: Teller, job: TrainJob, meet: Callable[[str], None]) -> _Prepared:
    """Open and check a run that is to be resumed."""
    from zoo import recipe as recipes
    from zoo.plugins import recipe_parts
    from zoo.rundir.recipe_text import read_recipe_text

    meet(task_of_resume(job.overrides))
    resumed = open_to_resume(str(job.resume), out.note)
    require_no_move(job.folder, resumed.folder)
    info = resumed.started_info()
    read_recipe_text(resumed)  # Refuses all but a regular file. Edits are looked for later.
    moved = recipe_parts.require_recorded(resumed, info, job.overrides)
    loaded = recipes.load(str(resumed.recipe_file), moved)
    recipe_parts.require(loaded)
    out.locate = recipes.locator(str(resumed.recipe_file), job.overrides)
    begun = int(info.get("devices") or 1)
    asked = job.asked
    request = require_devices(begun, asked.request, asked.allow_others, str(resumed))
    require_batch_of(request, loaded)
    flags = {**FLAGS, **(info.get("flags") or {})}
    return _Prepared(loaded, request, flags, resumed, info["backend"], info.get("log") or ())


def require_batch_of(request: Request, recipe: Recipe) -> None:
    """Requires that a number of devices divides a recipe's batches; of `all` it is known later.

    Several processes have at least a device each.

    Raises:
        UsageError: it does not.
    """
    if isinstance(request, int):
        require_batch(recipe.train.batch_size, request)
    else:
        require_batch(recipe.train.batch_size, processes.count(), "--num-processes")
