"""`zoo train`: trains or resumes, then evaluates and exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.backend import processes
from zoo.backend.device_request import (
    Asked,
    Request,
    parse,
    require_batch,
    require_devices,
)
from zoo.cli import train_processes, train_seeds
from zoo.cli.app import app
from zoo.cli.finish_training import finish, report_training
from zoo.cli.options import (
    RUNS,
    CoordinatorOption,
    DebugOption,
    DevicesOption,
    DistributedOption,
    HeartbeatOption,
    JsonOption,
    NewOutOption,
    NumProcessesOption,
    OptionalRecipeArgument,
    OtherDevicesOption,
    ProcessIdOption,
    QuietOption,
    SetOption,
    require_no_move,
)
from zoo.cli.output import Output
from zoo.cli.train_processes import LaunchFlags
from zoo.errors import UsageError

# What `zoo train` does at the end if the command line does not say.
FLAGS = {"evaluate": True, "export": True, "tensorboard": False}

if TYPE_CHECKING:
    from zoo.recipe import Recipe
    from zoo.rundir import Run


@app.command()
def train(
    recipe: OptionalRecipeArgument = None,
    overrides: SetOption = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="RUN",
            help="Resume this run, or the folder of --folds, instead of training a recipe. With "
            "--set train.epochs=N, also give a run more epochs.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            min=2,
            help="Train N times, with the recipe's seed and those after it; print mean and "
            "standard deviation.",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="K",
            min=2,
            max=1_000,
            help="Cross-validate: train K times, each time with another part of train and "
            "validation to validate on; print mean and standard deviation.",
        ),
    ] = None,
    devices: DevicesOption = None,
    allow_other_devices: OtherDevicesOption = False,
    distributed: DistributedOption = None,
    coordinator: CoordinatorOption = None,
    num_processes: NumProcessesOption = None,
    process_id: ProcessIdOption = None,
    heartbeat: HeartbeatOption = None,
    out: NewOutOption = None,
    tensorboard: Annotated[
        bool | None,
        typer.Option(
            "--tensorboard/--no-tensorboard",
            help="Also write logs for TensorBoard.",
            show_default="no; with --resume, as the run was begun",
        ),
    ] = None,
    evaluate: Annotated[
        bool | None,
        typer.Option(
            "--evaluate/--no-evaluate",
            help="Measure the best model on the test split at the end.",
            show_default="yes; with --folds no; with --resume, as the run was begun",
        ),
    ] = None,
    export: Annotated[
        bool | None,
        typer.Option(
            "--export/--no-export",
            help="Export the best model as a SavedModel at the end.",
            show_default="yes; with --folds no; with --resume, as the run was begun",
        ),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a recipe, measure its test accuracy and export it; or resume a run."""
    with Output(as_json, debug, quiet) as output:
        if (recipe is None) == (resume is None):
            raise UsageError("Expected either a RECIPE or --resume RUN, and not both.")

        alone = [name for name, value in (("--seeds", seeds), ("--folds", folds)) if value]
        train_processes.settle(
            LaunchFlags(distributed, coordinator, num_processes, process_id, heartbeat),
            devices,
            alone,
        )
        given = {"evaluate": evaluate, "export": export, "tensorboard": tensorboard}
        asked = Asked(parse(devices), allow_other_devices)
        if allow_other_devices and resume is None:
            raise UsageError("--allow-other-devices belongs to --resume. Leave it out.")
        if _trained_in_folds(
            output, recipe, resume, overrides or (), (seeds, folds), out, given, asked
        ):
            return

        def one(part: Output, changes: Sequence[str]) -> None:
            told = seeds is not None  # `train_seeds` tells what holds for all of them.
            run, flags = _train(part, recipe, changes, resume, out, given, asked, told=told)
            from zoo.artifact.trained_run import TrainedRun

            moved = [change for change in changes if change.startswith("data.source")]
            trained = TrainedRun(run, moved if resume else ())
            finish(part, trained, flags)
            part.text(f"run       {run}")

        if seeds is None:
            one(output, overrides or ())
        elif resume is not None:
            raise UsageError(
                "--seeds trains a recipe anew. Leave it out to resume one of its runs."
            )
        else:
            train_seeds.train(output, str(recipe), overrides or (), seeds, one, asked.request)


def _trained_in_folds(
    output: Output,
    recipe: str | None,
    resume: str | None,
    overrides: Sequence[str],
    numbers: tuple[int | None, int | None],
    out: Path | None,
    given: Mapping[str, bool | None],
    asked: Asked,
) -> bool:
    """Cross-validate, if the command line asks for it; return whether it does.

    Args:
        output: where to print.
        recipe: a path or a name; None to resume.
        resume: what to resume; None to train.
        overrides: `--set`.
        numbers: of seeds and of folds; None where not given.
        out: where run folders go; None for the default.
        given: flags of what to do at the end; None where the command line leaves them out.
        asked: the devices.

    Raises:
        UsageError: flags that exclude each other.
    """
    from zoo.cli import train_folds
    from zoo.rundir import Folds

    seeds, folds = numbers
    if folds is not None and seeds is not None:
        raise UsageError("--seeds and --folds exclude each other. Expected one of them.")
    if resume is not None:
        if folds is not None:
            raise UsageError(
                "--folds cross-validates a recipe anew. Leave it out: --resume FOLDER goes on with "
                "the folds that the folder holds."
            )
        if not Folds.is_folds(resume) or seeds is not None:
            return False
        train_folds.resume(output, resume, overrides, out, given, asked)
        return True
    if folds is None:
        return False
    train_folds.begin(output, str(recipe), overrides, folds, out, given, asked.request)
    return True


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


def _train(
    out: Output,
    recipe: str | None,
    overrides: Sequence[str],
    resume: str | None,
    folder: Path | None,
    given: Mapping[str, bool | None],
    asked: Asked,
    *,
    told: bool = False,
) -> tuple[Run, dict[str, bool]]:
    """Train a recipe or resume a run; whatever is cheap is checked before Keras is imported.

    Args:
        out: where to print.
        recipe: a path or a name; None to resume.
        overrides: `--set`.
        resume: the run to resume; None to train.
        folder: where run folders go; None for the default.
        given: flags of what to do at the end; None where the command line leaves them out.
        asked: the devices.
        told: whether the user knows already what a recipe's loading tells.

    Returns:
        The run, and the flags that hold: those given, else those that the run was begun with.
    """
    from zoo import backend
    from zoo import recipe as recipes
    from zoo.plan.capacity import require_memory
    from zoo.rundir import require_writable
    from zoo.rundir.recipe_text import read_recipe_text

    begun_with = None
    flags = dict(FLAGS)
    if resume is None:
        tell = () if told or not processes.is_first() else (out.warn, out.note)
        loaded = recipes.load(str(recipe), overrides, *tell)
        out.locate = recipes.locator(str(recipe), overrides)
        request = asked.request
        require_batch_of(request, loaded)
        require_memory(loaded)
        if processes.is_first():
            require_writable(folder or RUNS)
        train_processes.meet(out, "train a recipe")
        resumed = None
    else:
        train_processes.meet(out, train_processes.task_of_resume(overrides))
        resumed = train_processes.opened(resume)
        require_no_move(folder, resumed.folder)
        info = resumed.started_info()
        read_recipe_text(resumed)  # Refuses all but a regular file. Edits are looked for later.
        loaded = recipes.load(str(resumed.recipe_file))
        out.locate = recipes.locator(str(resumed.recipe_file), overrides)
        begun_with = info["backend"]
        flags |= info.get("flags") or {}
        begun = int(info.get("devices") or 1)
        request = require_devices(begun, asked.request, asked.allow_others, str(resumed))
        require_batch_of(request, loaded)
    flags |= {name: value for name, value in given.items() if value is not None}
    backend.prepare(
        deterministic=loaded.train.deterministic, preferred=begun_with, say=out.note,
        devices=request,
    )  # fmt: skip
    from zoo.training import Settings
    from zoo.training import resume as resume_training
    from zoo.training import train as begin_training

    settings = Settings(
        console=out.console(), tensorboard=flags["tensorboard"], flags=flags,
        devices=asked.request, allow_other_devices=asked.allow_others,
    )  # fmt: skip
    if resumed is None:
        run = begin_training(loaded, folder or RUNS, settings)
    else:
        run = resume_training(resumed, settings, overrides)
    train_processes.part(out)
    report_training(out, run)
    return run, flags
