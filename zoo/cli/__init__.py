"""The command line: `zoo VERB ...`, one module per verb.

Every verb is imported for `zoo --help`, so these modules import nothing but Typer and the standard
library at their top; what a verb needs besides is imported when it runs.
"""

from __future__ import annotations

import sys
import traceback

import typer.main

from zoo.backend import processes
from zoo.cli.app import app
from zoo.completion import serve as completion
from zoo.errors import StorageFault
from zoo.files import streams

# isort: off
# `zoo --help` lists the verbs in this order.
from zoo.cli import (  # noqa: F401  Importing a verb registers it.
    list, show, diff, schema, new, check, train, tune, evaluate, predict, report, export, serve,
    runs, log, doctor,
)  # fmt: skip
# isort: on

__all__ = ["app", "main"]


def main() -> None:
    """Run the `zoo` command."""
    if completion.asked():
        completion.serve(typer.main.get_command(app))
        return
    streams.guard()
    try:
        app(prog_name="zoo")
    except SystemExit as ending:
        if not ending.code:
            _require_written()
        processes.leave(ending.code if isinstance(ending.code, int) else 0)
        raise
    except Exception:  # A fault of zoo: its traceback, before JAX waits for other processes.
        if processes.connected():
            traceback.print_exc()
            processes.leave(1)
        raise


def _require_written() -> None:
    """End with the code of a full disk if results could not be printed."""
    try:
        streams.require_written()
    except StorageFault as error:
        print(f"zoo: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
