"""The Typer application that verbs register with."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.version import __version__

app = typer.Typer(
    name="zoo",
    help="Train convolutional networks from YAML recipes. Start with: zoo train digits-tiny",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"zoo {__version__}")
        raise typer.Exit


@app.callback()
def _zoo(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass
