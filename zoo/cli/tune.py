"""`zoo tune`: a hyperparameter search, which the package `tuning` runs."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    AllowPluginsOption,
    DebugOption,
    JsonOption,
    LogOption,
    NewOutOption,
    OpenOption,
    OptionalRecipeArgument,
    QuietOption,
    ReportOption,
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
            max=10_000,
            help="Number of workers (default: one per GPU, or one without a GPU; on a cluster as "
            "many as fit).",
        ),
    ] = None,
    place: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="local|ray|ray://HOST:PORT",
            help="Where trials run: processes here, or actors on a Ray cluster (`ray` starts one "
            "here if none runs).",
        ),
    ] = "local",
    cpus: Annotated[
        float | None,
        typer.Option("--cpus-per-trial", min=0, help="With --on ray: CPUs of a worker (1)."),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option(
            "--gpus-per-trial",
            min=0,
            help="With --on ray: GPUs of a worker (0); 0.25 lets four share one.",
        ),
    ] = None,
    out: NewOutOption = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Also draw the trials as PNG files.")
    ] = False,
    log: LogOption = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="The same as --log tensorboard (HParams).")
    ] = False,
    report: ReportOption = False,
    show: OpenOption = False,
    allow_plugins: AllowPluginsOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Random search over a recipe's hyperparameters, coarse to fine; writes best.yaml."""
    with Output(as_json, debug, quiet) as output:
        from tuning import cli, oracle
        from tuning.executors.ray_cluster import Demand

        oracle.train_nothing()
        demand = Demand.of(cpus, gpus)
        job = cli.TuneJob(
            recipe=recipe, overrides=overrides or (), resume=resume, folder=out, trials=trials,
            workers=workers, place=place, demand=demand, plots=plots, log=log,
            tensorboard=tensorboard, report=report, show=show,
        )  # fmt: skip
        cli.tune(output, job)
