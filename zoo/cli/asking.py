"""Whether a verb can ask its user."""

from __future__ import annotations

import sys


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()
