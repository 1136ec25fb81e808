"""Commands for people to copy. Light."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from zoo.text.printable import quoted


def command(*words: str | Path) -> str:
    r"""Return a command line, quoted where the shell needs it.

    A word with characters that cannot be printed is written as `$'a\nb'`, which bash, zsh and ksh
    read: as it is, it would break the line.

    Args:
        words: of the command.
    """
    return " ".join(map(_word, map(str, words)))


def _word(word: str) -> str:
    if quoted(word) == word:
        return shlex.quote(word)
    letters = []
    for letter in word:
        if letter in "\\'":
            letters.append(f"\\{letter}")
        elif quoted(letter) == letter:
            letters.append(letter)
        else:
            letters += [f"\\{byte:03o}" for byte in os.fsencode(letter)]
    return f"$'{''.join(letters)}'"
