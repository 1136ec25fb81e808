"""`zoo diff`: what differs between two recipes or runs, without loading TensorFlow."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption
from zoo.cli.output import Output

_HELP = "A YAML file, the name of a shipped recipe, or the folder of a run or an export."

SideArgument = Annotated[str, typer.Argument(metavar="A", help=_HELP)]
OtherArgument = Annotated[str, typer.Argument(metavar="B", help="What A is compared with.")]


@app.command()
def diff(
    a: SideArgument,
    b: OtherArgument,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="Exit with 1 if they differ; the time that runs took is left out."
        ),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what differs between two recipes or runs, every default written out."""
    with Output(as_json, debug) as out:
        from zoo.cli.diff_text import lines
        from zoo.comparison import compare

        comparison = compare(a, b)
        out.result(comparison.as_json())
        for note in comparison.notes:
            out.remark(f"note: {note}")
        out.text("\n".join(lines(comparison)))
        if exit_code and not comparison.is_equal:
            raise typer.Exit(1)
