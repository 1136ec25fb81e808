"""Arguments that users of Python give in one of several forms. Light."""

from __future__ import annotations

from collections.abc import Sequence


def as_list(texts: str | Sequence[str] | None) -> list[str] | None:
    """A text, or several, as a list; None stays None."""
    if texts is None:
        return None
    return [texts] if isinstance(texts, str) else list(texts)
