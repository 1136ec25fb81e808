"""How wide the terminal is. Light."""

from __future__ import annotations

import os
import sys
from typing import TextIO

LEAST = 20  # Columns; nothing is laid out for a narrower terminal.
USUAL = 80  # Where a terminal does not say.


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Columns of the terminal that a stream is; None for a pipe or a file.

    $COLUMNS wins over what the terminal says.

    Args:
        stream: None: standard output.
    """
    stream = sys.stdout if stream is None else stream
    try:
        if not stream.isatty():
            return None
        named = os.environ.get("COLUMNS", "")
        if named.isascii() and named.isdigit() and int(named) > 0:
            return max(LEAST, int(named))
        return max(LEAST, os.get_terminal_size(stream.fileno()).columns or USUAL)
    except (OSError, ValueError, AttributeError):  # A stream that was closed, or has no number.
        return USUAL
