"""`zoo tune`: a hyperparameter search, which the package `tuning` runs."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    DebugOption,
    JsonOption,
    NewOutOption,
    OptionalRecipeArgument,
    QuietOption,
    SetOption,
)
from zoo.cli.output import Output


@app.command()
def tune(
    recipe: OptionalRecipeArgument = None,
    overrides: SetOption = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="FOLDER", help="Resume this search."),
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option(
            "--trials",
            metavar="+N",
            help="With --resume: add N trials to the last stage; what is done is kept.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Number of worker processes (default: one per GPU, or one without a GPU).",
        ),
    ] = None,
    out: NewOutOption = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Also draw the trials as PNG files.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write the trials for TensorBoard HParams.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Random search over a recipe's hyperparameters, coarse to fine; writes best.yaml."""
    with Output(as_json, debug, quiet) as output:
        from tuning import cli

        cli.tune(output, recipe, overrides or (), resume, out, workers, plots, tensorboard, trials)
