"""Values of a recipe as messages show them: short, whatever the user wrote. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LONGEST = 60  # Characters of a value.
MOST = 12  # Items of a list.


def received(value: Any) -> str:
    """A wrong value as messages show it: short, with its type where that matters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{cut(value)}' (text)"
    if isinstance(value, Mapping):
        return f"a map of {cut(', '.join(map(str, value))) or 'nothing'}"
    if isinstance(value, list | tuple):
        shown = str(list(value))
        return shown if len(shown) <= LONGEST else f"a list of {len(value)}"
    return cut(str(value))


def cut(text: str) -> str:
    """A text of at most `LONGEST` characters, the end left out of longer ones."""
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def listed(values: Iterable[Any]) -> str:
    """Values in a row, each short, `and N more` for all but the first."""
    texts = [cut(f"{value:g}" if isinstance(value, float) else str(value)) for value in values]
    more = len(texts) - MOST
    return ", ".join(texts) if more <= 1 else f"{', '.join(texts[:MOST])} and {more} more"
