"""`zoo train`: trains or resumes, then evaluates and exports."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.backend.device_request import (
    Asked,
    Request,
    parse,
    require_batch,
    require_devices,
)
from zoo.cli.app import app
from zoo.cli.finish_training import finish, report_training
from zoo.cli.options import (
    RUNS,
    DebugOption,
    DevicesOption,
    JsonOption,
    NewOutOption,
    OptionalRecipeArgument,
    OtherDevicesOption,
    QuietOption,
    SetOption,
    require_no_move,
)
from zoo.cli.output import Output
from zoo.errors import Diverged, StorageFault, UsageError

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

        given = {"evaluate": evaluate, "export": export, "tensorboard": tensorboard}
        asked = Asked(parse(devices), allow_other_devices)
        if allow_other_devices and resume is None:
            raise UsageError("--allow-other-devices belongs to --resume. Leave it out.")
        if _trained_in_folds(
            output, recipe, resume, overrides or (), (seeds, folds), out, given, asked
        ):
            return

        def one(part: Output, changes: Sequence[str]) -> None:
            told = seeds is not None  # `_train_seeds` tells what holds for all of them.
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
            _train_seeds(output, str(recipe), overrides or (), seeds, one, asked.request)


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

    Raises:
        UsageError: it does not.
    """
    if isinstance(request, int):
        require_batch(recipe.train.batch_size, request)


def _train_seeds(
    out: Output,
    recipe: str,
    overrides: Sequence[str],
    count: int,
    one: Callable[[Output, Sequence[str]], None],
    request: Request,
) -> None:
    """Trains with one seed after the other; a training that diverges does not stop the others."""
    from zoo import recipe as recipes

    loaded = recipes.load(recipe, overrides, out.warn, out.note)
    require_batch_of(request, loaded)
    numbers = range(loaded.seed, loaded.seed + count)
    # All seeds are checked before the first training.
    changes = {seed: [*overrides, f"seed={seed}"] for seed in numbers}
    for each in changes.values():
        recipes.load(recipe, each)
    rows: list[dict[str, Any]] = []
    for seed in numbers:
        out.text(f"seed      {seed}")
        part = Output(out.as_json, out.debug, out.quiet)
        out.locate = recipes.locator(recipe, changes[seed])
        try:
            one(part, changes[seed])
        except Diverged as error:
            out.note(f"seed {seed}: {error}")
            part.result(error.facts)
        except StorageFault as error:
            out.result({"seeds": [*rows, {"seed": seed, **(part.document or {}), **error.facts}]})
            raise _with_seeds_left(error, recipe, seed, numbers) from error
        rows.append({"seed": seed, **(part.document or {})})
        out.result({"seeds": rows})  # What is done is told, whatever comes.
    diverged = [row["seed"] for row in rows if row["status"] != "done"]
    for key, name in _summarized(rows):
        values = [row[key] for row in rows if row["status"] == "done" and row.get(key) is not None]
        if len(values) > 1:
            mean, deviation = statistics.mean(values), statistics.stdev(values)
            out.result({key: mean, f"{key}_sd": deviation})
            out.text(f"{name} {mean:.4f} ± {deviation:.4f} (standard deviation, n={len(values)})")
    if diverged:
        raise Diverged(
            f"{len(diverged)} of {count} trainings diverged: seed "
            f"{', '.join(map(str, diverged))}. "
            + (
                "The others are done and kept."
                if len(diverged) < count
                else "Lower train.optimizer's learning_rate."
            )
        )


def _with_seeds_left(error: StorageFault, recipe: str, seed: int, numbers: range) -> StorageFault:
    """Add to a disk's failure which seeds are done, and how to train those that are left."""
    done, left = seed - numbers.start, numbers.stop - seed - 1
    sentence = f"Of {len(numbers)} seeds, {done} are done and kept."
    if left:
        seeds = f" --seeds {left}" if left > 1 else ""
        sentence += f" Those that are left: zoo train {recipe} --set seed={seed + 1}{seeds}"
    return error.adding(sentence)


def _summarized(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Metrics whose mean over the seeds is told: accuracies, and what selected the epochs."""
    metrics = [("accuracy", "test accuracy"), ("val_accuracy", "validation accuracy")]
    monitors = {str(row["monitor"]) for row in rows if row.get("monitor")}
    if monitors - {"val_accuracy", "val_loss"}:
        metrics.append(("balanced_accuracy", "test balanced accuracy"))
        metrics.append(("mean_average_precision", "test mean average precision"))
        metrics += [(key, key) for key in sorted(monitors - {"val_accuracy"})]
    return metrics


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
    from zoo.rundir import Run, require_writable
    from zoo.rundir.recipe_text import read_recipe_text

    begun_with = None
    flags = dict(FLAGS)
    if resume is None:
        tell = () if told else (out.warn, out.note)
        loaded = recipes.load(str(recipe), overrides, *tell)
        out.locate = recipes.locator(str(recipe), overrides)
        request = asked.request
        require_batch_of(request, loaded)
        require_memory(loaded)
        require_writable(folder or RUNS)
    else:
        resumed = Run.open(resume)
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
    from zoo.train import Settings
    from zoo.train import resume as resume_training
    from zoo.train import train as begin_training

    settings = Settings(
        console=out.console(), tensorboard=flags["tensorboard"], flags=flags,
        devices=asked.request, allow_other_devices=asked.allow_others,
    )  # fmt: skip
    if resume is None:
        run = begin_training(loaded, folder or RUNS, settings)
    else:
        run = resume_training(resume, settings, overrides)
    report_training(out, run)
    return run, flags
