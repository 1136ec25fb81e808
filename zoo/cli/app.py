"""The application that verbs register with."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="zoo",
    help="Train convolutional networks from YAML recipes. Start with: zoo train digits-tiny",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
