"""`zoo train`: trains or resumes, then evaluates and exports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    DebugOption,
    JsonOption,
    OptionalRecipeArgument,
    OutOption,
    QuietOption,
    SetOption,
)
from zoo.cli.output import Output
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.artifact.trained_run import TrainedRun
    from zoo.rundir import Run


@app.command()
def train(
    recipe: OptionalRecipeArgument = None,
    overrides: SetOption = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume", metavar="RUN", help="Resume this run instead of training a recipe."
        ),
    ] = None,
    out: OutOption = Path("runs"),
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write logs for TensorBoard.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option(help="Measure the best model on the test split at the end.")
    ] = True,
    export: Annotated[
        bool, typer.Option(help="Export the best model as a SavedModel at the end.")
    ] = True,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a recipe, measure its test accuracy and export it; or resume a run."""
    with Output(as_json, debug, quiet) as output:
        run = _train(output, recipe, overrides or (), resume, out, tensorboard)
        from zoo.artifact.trained_run import TrainedRun

        trained = TrainedRun(run, overrides or () if resume else ())
        if evaluate and trained.info["data"]["test"] is not None:
            _evaluate(output, trained)
        if export:
            _export(output, trained)
        output.text(f"run       {run}")


def _train(
    out: Output,
    recipe: str | None,
    overrides: Sequence[str],
    resume: str | None,
    folder: Path,
    tensorboard: bool,
) -> Run:
    """Train a recipe or resume a run; whatever is cheap is checked before Keras is imported."""
    from zoo import backend
    from zoo import recipe as recipes
    from zoo.rundir import Run, require_writable

    if (recipe is None) == (resume is None):
        raise UsageError("Expected either a RECIPE or --resume RUN, and not both.")
    begun_with = None
    if resume is None:
        loaded = recipes.load(str(recipe), overrides, out.warn)
        require_writable(folder)
    else:
        resumed = Run.open(resume)
        loaded = recipes.load(str(resumed.recipe_file))
        begun_with = resumed.info().get("backend")
    backend.prepare(deterministic=loaded.train.deterministic, preferred=begun_with, say=out.note)
    from zoo.train import Settings
    from zoo.train import resume as resume_training
    from zoo.train import train as begin_training

    settings = Settings(console=out.console(), tensorboard=tensorboard)
    if resume is None:
        run = begin_training(loaded, folder, settings)
    else:
        run = resume_training(resume, settings, overrides)
    info = run.info()
    keys = ("status", "epochs", "best_epoch", "seconds", "images_per_second", "val_accuracy")
    out.result({"run": str(run), **{key: info.get(key) for key in keys}})
    out.text(
        f"trained   {info['epochs']} epochs in {info['seconds']:.1f} s, best epoch "
        f"{info['best_epoch']}: validation accuracy {info['val_accuracy']:.4f}"
    )
    return run


def _evaluate(out: Output, trained: TrainedRun) -> None:
    from zoo.evaluate import evaluate

    result = evaluate(trained)
    out.result({"accuracy": result["accuracy"], "test_loss": result["loss"]})
    with_tta = ""
    if "tta" in result:
        out.result({"tta": result["tta"]})
        with_tta = f" ({result['tta']['accuracy']:.4f} with tta: {result['tta']['kind']})"
    out.text(
        f"test      accuracy {result['accuracy']:.4f}{with_tta} on {result['images']:,} images"
    )


def _export(out: Output, trained: TrainedRun) -> None:
    from zoo.cli.export import print_export, tensorflow_installed

    if not tensorflow_installed():
        out.note("not exported: TensorFlow, which writes SavedModels, is not installed")
        return
    from zoo.export import export

    result = export(trained)
    out.result({"export": result})
    print_export(out, result)
