"""Commands for people to copy. Light."""

from __future__ import annotations

import shlex
from pathlib import Path


def command(*words: str | Path) -> str:
    """Return a command line, quoted where the shell needs it.

    Args:
        words: of the command.
    """
    return shlex.join(map(str, words))
