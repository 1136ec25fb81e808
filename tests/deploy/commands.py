"""The zoo commands of scripts, manifests and pages, and whether the command line takes them."""

from __future__ import annotations

import re
import shlex

import typer

from zoo.cli import app

# What a shell or a scheduler would put in.
_VARIABLE = re.compile(r"\$\{?\w+\}?")
_COMMAND = re.compile(r"(?:^|[\s;&|('\"])zoo ((?:train|tune|doctor|check|runs)\b[^;|&\n]*)")
_REST = re.compile(r'"\$(@|\{\w+\[@\]\})"')  # Further options.
_REMARK = re.compile(r"(^|\s)#.*")


def zoo_commands(text: str) -> list[list[str]]:
    """The arguments of each `zoo` command in a text, variables replaced by a word."""
    joined = text.replace("\\\n", " ")
    return [
        shlex.split(_VARIABLE.sub("word", _REST.sub("", found)).rstrip("')\" "))
        for line in joined.splitlines()
        for found in _COMMAND.findall(_REMARK.sub("", line))
    ]


def require_parsed(arguments: list[str]) -> None:
    """Requires that the command line knows the verb and its options; runs nothing.

    Raises:
        click.UsageError: it does not.
    """
    group = typer.main.get_command(app)
    verb, *rest = arguments
    command = group.get_command(typer.Context(group), verb)  # type: ignore[attr-defined]
    assert command is not None, verb
    command.make_context(verb, rest)
