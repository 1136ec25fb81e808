"""How wide the terminal is. Light."""

from __future__ import annotations

import os
import sys

LEAST = 40  # Columns; a narrower terminal wraps lines itself.


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is, or $COLUMNS; None for a pipe or a file."""
    try:
        named = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        named = 0
    if not sys.stdout.isatty():
        return max(LEAST, named) if named > 0 else None
    if named > 0:
        return max(LEAST, named)
    try:
        return max(LEAST, os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return 80
