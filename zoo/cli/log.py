"""`zoo log`: sends runs and searches to trackers afterwards."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, QuietOption
from zoo.cli.output import Output


@app.command()
def log(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="Folders of runs, searches or cross-validations; or runs/NAME."
        ),
    ],
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="TRACKER[,...]",
            help="mlflow, wandb, tensorboard or csv (repeatable).",
            show_default="those that the run was trained with, or sent to before",
        ),
    ] = None,
    register: Annotated[
        str | None,
        typer.Option(
            "--register",
            metavar="NAME",
            help="Also register the exported model in MLflow, as a new version of NAME.",
        ),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Send finished or interrupted runs to trackers, or what a tracker lacks of them."""
    with Output(as_json, debug, quiet) as output:
        from zoo.verbs import send_later

        send_later.send(output, runs, to, register)
