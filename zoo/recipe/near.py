"""Finds the word that was meant: by its meaning in other tools, or by its spelling. Light."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from zoo.recipe.words import SYNONYMS


def match(word: object, names: Iterable[str]) -> str | None:
    """The word that was probably meant, by its meaning in other tools or its spelling.

    Args:
        word: as the user wrote it.
        names: the words allowed there.

    Returns:
        One of the allowed words, or None.
    """
    allowed = list(names)
    lower = {name.lower(): name for name in allowed}
    text = str(word).lower()
    synonym = next((word for word in meanings(text) if word in allowed), None)
    if synonym:
        return synonym
    close = get_close_matches(text, lower, n=1, cutoff=0.6)
    return lower[close[0]] if close else None


def meanings(text: str) -> tuple[str, ...]:
    """Our words for a word of another tool."""
    synonyms = SYNONYMS.get(text, ())
    return (synonyms,) if isinstance(synonyms, str) else synonyms


def near(word: object, names: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean 'x'?`, or `.` where no allowed word is near.

    Args:
        word: as the user wrote it.
        names: the words allowed there.
    """
    meant = match(word, names)
    return f"; did you mean '{meant}'?" if meant else "."
