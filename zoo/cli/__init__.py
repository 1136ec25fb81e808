"""The command line: `zoo VERB ...`, one module per verb.

Every verb is imported for `zoo --help`, so these modules import nothing but Typer and the standard
library at their top; what a verb needs besides is imported when it runs.
"""

from __future__ import annotations

import sys

from zoo.cli.app import app

# isort: off
# `zoo --help` lists the verbs in this order.
from zoo.cli import (  # noqa: F401  Importing a verb registers it.
    list, show, schema, new, check, train, tune, evaluate, predict, export, serve, doctor,
)  # fmt: skip
# isort: on

__all__ = ["app", "main"]


def main() -> None:
    """Run the `zoo` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app(prog_name="zoo")
