"""Answers a shell that called `zoo` at a press of Tab. Light."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from zoo.completion.answer import answer
from zoo.completion.candidate import Candidate
from zoo.completion.line import take_apart
from zoo.completion.scripts import SHELLS, VARIABLE
from zoo.text.printable import one_line

# Words that mean themselves in a shell. A recipe from elsewhere may call a block `x;rm -r .;`.
_PLAIN = re.compile(r"[\w.,:=/@%+\[\]-]+")


def asked() -> bool:
    """Whether a shell asks."""
    return os.environ.get(VARIABLE) in SHELLS


def serve(group: Any) -> None:
    """Print what the shell may offer, one candidate a line."""
    shell = os.environ[VARIABLE]
    lines = _for_bash(group) if shell == "bash" else _with_help(answer(group, sys.argv[1:]))
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(text))  # Names as the shell has them, in any locale.
    sys.stdout.buffer.flush()


def _for_bash(group: Any) -> list[str]:
    """The mode, then what replaces the part of the word that bash takes for the whole."""
    name = os.environ.get("_ZOO_NAME", "zoo")
    line = take_apart(os.environ.get("_ZOO_LINE", ""), os.environ.get("_ZOO_BREAKS", ""))
    words = list(line.words)
    expanded = [os.path.expanduser(word) for word in words]
    for known in (name, os.path.expanduser(name)):
        if known in expanded[:-1]:
            words = words[expanded.index(known) + 1 :]
            break
    else:
        words = words[1:]
    found = printable(answer(group, words))
    if not any(each.is_file for each in found):  # Bash quotes files alone.
        found = [each for each in found if _PLAIN.fullmatch(each.word)]
    mode = " ".join(
        word
        for word, holds in (
            ("files", any(each.is_file for each in found)),
            ("nospace", bool(found) and all(each.goes_on for each in found)),
        )
        if holds
    )
    return [mode, *(each.word.removeprefix(line.kept) for each in found)]


def _with_help(found: Sequence[Candidate]) -> list[str]:
    return [
        f"{each.word}\t{one_line(each.help)}" if each.help else each.word
        for each in printable(found)
    ]


def printable(found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates that fit into a line."""
    return [each for each in found if each.word.isprintable()]
