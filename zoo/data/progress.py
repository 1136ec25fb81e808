"""How work on images reports its progress. Light."""

from __future__ import annotations

from collections.abc import Callable

# Called with (images done, images in all, what is being done).
Progress = Callable[[int, int, str], None]


def no_progress(done: int, total: int, activity: str) -> None:
    """Reports nothing."""
