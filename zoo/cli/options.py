"""Arguments and flags that several verbs share. Light."""

from __future__ import annotations

from typing import Annotated

import typer

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A YAML file, or a recipe of `zoo list`.")
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, or runs/NAME for its newest.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change the recipe: train.epochs=5 (repeatable)."
    ),
]
MovedOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="data.source=...", help="Where the run's data are now."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Tracebacks of expected errors.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Only results and errors.")]
