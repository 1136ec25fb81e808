"""The flags of `zoo check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

QuickOption = Annotated[
    bool, typer.Option("--quick", help="Only the checks that need no training: seconds.")
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ID", help="Only this check: C12 (repeatable, or C05,C12)."),
]
SkipOption = Annotated[
    list[str] | None, typer.Option("--skip", metavar="ID", help="Leave this check out.")
]
PlotsOption = Annotated[
    bool, typer.Option("--plots", help="Also draw the measurements as PNG files.")
]
WriteOption = Annotated[
    Path | None,
    typer.Option(
        "--write",
        metavar="FILE",
        help="Write a copy of the recipe with the suggested learning rate; with --fix, write the "
        "fixed recipe to FILE.",
    ),
]
FixOption = Annotated[
    bool,
    typer.Option(
        "--fix",
        help="Write advice that is one key with a value into the recipe: shows the change, asks, "
        "and checks again.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="With --fix: write without asking.")]
ListOption = Annotated[
    bool, typer.Option("--list", help="Print what each check asks and costs, and exit.")
]
