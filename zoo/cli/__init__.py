"""The command line: `zoo VERB ...`. Light: every verb imports what it needs when it runs."""

from __future__ import annotations

import sys

from zoo.cli import recipes, runs
from zoo.cli.app import app

__all__ = ["app", "main", "recipes", "runs"]


def main() -> None:
    """The `zoo` command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app(prog_name="zoo")
