"""Regular expressions of recipes, without those whose matching may take for ever.

Python's `re` tries every way in which repeats can share the text: in `(.+)+` exponentially many.
The names of variables and files that patterns are searched in are short, and their patterns simple,
so what could be slow is refused by its form. Light.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from re import _parser as parser  # type: ignore[attr-defined]  # The one parser of re's syntax.
from typing import Any

from pydantic_core import PydanticCustomError

from zoo.recipe.shown import cut

# On a path of 40 characters, 4 repeats share the text in 100,000 ways.
MAX_REPEATS = 4
MAX_OPTIONAL = 10


def checked_pattern(pattern: str, examples: str) -> str:
    """Returns a regular expression that can be searched in a name.

    Args:
        pattern: as the recipe gives it.
        examples: simple patterns for the message.

    Raises:
        PydanticCustomError: it is none, or one that may be slow.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `[[` may mean something else one day.
            re.compile(pattern)
            slow = why_slow(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PydanticCustomError(
            "pattern",
            "not a regular expression: {why}. Received '{pattern}'",
            {"why": cut(str(error)), "pattern": cut(pattern)},
        ) from None
    if slow:
        raise PydanticCustomError(
            "pattern",
            "too slow: {why}. Expected a simpler one, such as {examples}. Received '{pattern}'",
            {"why": slow, "examples": examples, "pattern": cut(pattern)},
        )
    return pattern


def why_slow(pattern: str) -> str | None:
    """Says what makes a pattern slow; None for one that is not.

    Args:
        pattern: a valid regular expression.
    """
    repeats = optional = 0
    for code, argument, inside in _parts(parser.parse(pattern), inside=False):
        if code in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high = argument[:2]
            if low == high:
                continue
            if inside:
                return "a repeat within a repeat can match in far too many ways"
            optional += high == 1
            repeats += high > 1
        elif code == "BRANCH" and inside:
            return "alternatives within a repeat can match in far too many ways"
    if repeats > MAX_REPEATS or optional > MAX_OPTIONAL:
        return f"{repeats + optional} repeats in a row can match in far too many ways"
    return None


def _parts(parsed: Iterable[Any], inside: bool) -> Iterable[tuple[str, Any, bool]]:
    """The parts of a parsed pattern: its code, its argument, whether something repeats it."""
    for code, argument in parsed:
        yield str(code), argument, inside
        again = inside
        if str(code) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            again = inside or argument[1] > 1
        for inner in _inner(argument):
            yield from _parts(inner, again)


def _inner(argument: Any) -> Iterable[Any]:
    """The patterns in the argument of a part."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for item in argument:
            yield from _inner(item)
