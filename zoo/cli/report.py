"""`zoo report`: one HTML file about runs, a search or a check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, QuietOption
from zoo.cli.output import Output

_HELP = (
    "A run folder, several of them, or the folder of --folds, of a search or of a check; runs/NAME "
    "for its newest."
)


@app.command()
def report(
    paths: Annotated[list[str], typer.Argument(metavar="RUN|SEARCH|CHECK...", help=_HELP)],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The HTML file.",
            show_default="report.html in the folder; of several runs in the current folder",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a page with figures and images of a run, a search or a check; or compare runs."""
    with Output(as_json, debug, quiet) as output:
        from zoo.verbs.reporting import write_report

        output.result(write_report(output, paths, out, show=show))
