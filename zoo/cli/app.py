"""The Typer application that verbs register with."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zoo.version import __version__


class VerbGroup(TyperGroup):
    """The verbs. An unknown flag that is the name of a file gets a hint at how to write it."""

    words: tuple[str, ...] = ()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb, and keep the words of the command line."""
        self.words = tuple(args)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Typer brings a Click of its own, older ones use the package.
            if type(error).__name__ == "NoSuchOption":
                error.message += _file_hint(self.words)  # type: ignore[attr-defined]
            raise


def _file_hint(words: tuple[str, ...]) -> str:
    file = next((word for word in words if word[:1] == "-" and os.path.lexists(word)), None)
    return f". {file} is a file: write ./{file}" if file else ""


app = typer.Typer(
    name="zoo",
    cls=VerbGroup,
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


def _install_completion(requested: bool, context: typer.Context) -> None:
    if requested:
        from zoo.cli.output import Output
        from zoo.completion.scripts import current_shell, install

        with Output() as out:
            shell = context.params.get("shell") or current_shell()
            for file, done in install(shell):
                out.text(f"{file}: {done}")
        raise typer.Exit


def _show_completion(requested: bool, context: typer.Context) -> None:
    if requested:
        from zoo.cli.output import Output
        from zoo.completion.scripts import current_shell, script

        with Output():
            print(script(context.params.get("shell") or current_shell()), end="")
        raise typer.Exit


def _known_shell(shell: str | None) -> str | None:
    from zoo.completion.scripts import SHELLS

    if shell is not None and shell not in SHELLS:
        raise typer.BadParameter(f"expected bash, zsh or fish. Received {shell}.")
    return shell


@app.callback()
def _zoo(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            callback=_install_completion,
            help="Let the shell complete verbs, recipes, runs, flags and paths of --set; and exit.",
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            callback=_show_completion,
            help="Print what --install-completion would install, and exit.",
        ),
    ] = False,
    shell: Annotated[
        str | None,
        typer.Option(
            "--shell",
            callback=_known_shell,
            is_eager=True,
            metavar="bash|zsh|fish",
            help="With these two: for another shell than the one that zoo is called from.",
        ),
    ] = None,
) -> None:
    pass
