"""Breaks long lines for a terminal: between words, never in commands to copy. Light.

A terminal breaks a line in the middle of a word. Pipes and files get lines as they are: programs
read those.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO

from zoo.text.width import terminal_width

if TYPE_CHECKING:
    from rich.console import Console

MOST_INDENT = 16  # Columns of a label that later lines are put below.
_LABEL = re.compile(r"\s*\S+(?: \S+)?\s{2,}")
VERBS = (
    "list", "show", "diff", "schema", "new", "check", "train", "tune", "evaluate", "predict",
    "export", "report", "serve", "runs", "log", "doctor",
)  # fmt: skip
_WORDS = re.compile(
    r"`[^`]+`\S*"  # A command, or a word of a recipe, in backticks.
    # A command in a sentence, up to the end of the part of the sentence.
    rf"|(?<![\w/.-])zoo (?:{'|'.join(VERBS)}) (?:\S+ )*?\S*?(?=$|[.;,)]?$|[.;,)] )"
    r"|\d[\d,.]*(?: (?:[kMGTPE]?B|bytes|[kMGTPE]|ms|s|min|h|%))(?!\w)\S*"  # A number with its unit.
    r"|\S+"
)


def fitted(text: str, width: int | None) -> str:
    """Break the lines of a text that are wider than a terminal.

    Lines that go on are indented to the column behind a label, such as `status      `, and a
    little otherwise. What has no place to be broken stays as wide as it is: paths, commands, and
    names in backticks.

    Args:
        text: lines.
        width: columns; None: of a pipe, which gets the text as it is.
    """
    if width is None:
        return text
    return "\n".join(
        part
        for line in text.split("\n")
        for part in ([line] if len(line) <= width else _broken(line, width))
    )


def _broken(line: str, width: int) -> list[str]:
    """The lines that one becomes."""
    label = _LABEL.match(line)
    lead = len(line) - len(line.lstrip())
    is_label = label is not None and lead < label.end() <= min(MOST_INDENT, width // 3)
    indent = " " * (label.end() if label is not None and is_label else min(lead + 2, width // 3))
    lines, current, end = [], "", 0
    for match in _WORDS.finditer(line):
        gap = line[end : match.start()]
        end = match.end()
        if current.strip() and len(current) + len(gap) + len(match[0]) > width:
            lines.append(current)
            current = indent + match[0]
        else:
            current += gap + match[0]
    return [*lines, current]


def for_stream(text: str, stream: TextIO) -> str:
    """Break the lines of a text for the terminal that a stream is, if it is one."""
    return fitted(text, terminal_width(stream))


def for_console(text: str, console: Console) -> str:
    """Break the lines of a text for a console's terminal, if it has one."""
    return fitted(text, console.width if console.is_terminal else None)
