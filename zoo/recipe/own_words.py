"""The words of a user's own parts, while a recipe that names them is read. Light.

A `Choice` knows the words of zoo. Of other words it asks `choice_with`, which knows the parts that
the recipe's `plugins` name and, if none of these has the word, those of installed packages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, Field, create_model
from pydantic_core import PydanticCustomError

from zoo.plugins.unknown import Unknown


@dataclass
class Vocabulary:
    """The words of parts.

    Attributes:
        parts: word -> part.
        look: finds the part of an installed package by its word; None if there is none.
        found: parts of installed packages that the recipe uses.
        broken: words of parts that cannot be read, for which a problem was found already.
        used: words that were asked for, in a place for their kind.
    """

    parts: Mapping[str, Any] = field(default_factory=dict)
    look: Callable[[str], Any] = lambda word: None
    found: dict[str, Any] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def part(self, word: str) -> Any:
        """The part with a word; None if there is none."""
        return self.parts.get(word) or self.found.get(word)

    def part_for(self, word: str, kind: str) -> Any:
        """The part of a kind with a word; None if there is none. Installed packages are asked."""
        part = self.part(word)
        if part is None and (part := self.look(word)) is not None and kind in part.kinds:
            self.found[word] = part
        if part is None or kind not in part.kinds:
            return None
        self.used.add(word)
        return part


_known: ContextVar[Vocabulary | None] = ContextVar("own_words", default=None)


@contextmanager
def known(vocabulary: Vocabulary) -> Iterator[None]:
    """Recipes that are read meanwhile may use these words."""
    token = _known.set(vocabulary)
    try:
        yield
    finally:
        _known.reset(token)


def part_with(word: Any) -> Any:
    """The part that a recipe names with a word, whatever its kind; None if there is none."""
    vocabulary = _known.get()
    return vocabulary.part(str(word)) if vocabulary else None


def is_broken(word: Any) -> bool:
    """Whether a word is that of a part that cannot be read, which is told already."""
    vocabulary = _known.get()
    return vocabulary is not None and str(word) in vocabulary.broken


def are_known() -> bool:
    """Whether a recipe is being read, so that it may have words of its own."""
    return _known.get() is not None


def words_for(kind: str) -> list[str]:
    """The words of a kind that the recipe's `plugins` name."""
    vocabulary = _known.get()
    parts = vocabulary.parts if vocabulary else {}
    return [word for word, part in parts.items() if kind in part.kinds]


def choice_with(choice: type[BaseModel], kind: str, word: Any) -> Any:
    """A class derived from a choice that knows one more word.

    Args:
        choice: of zoo's words.
        kind: of the parts that it takes; empty: none.
        word: that it does not know.

    Returns:
        The class; None if no part of that kind has the word.
    """
    vocabulary = _known.get()
    if vocabulary is None or not kind or not isinstance(word, str):
        return None
    try:
        part = vocabulary.part_for(word, kind)
    except Unknown as error:
        text = str(error).removesuffix(".")
        raise PydanticCustomError("own_word", "{text}", {"text": text}) from None
    return None if part is None else _extended(choice, part)


@lru_cache(1000)
def _extended(choice: type[BaseModel], part: Any) -> Any:
    options = (part.options | None, Field(None, description=part.description))
    return create_model(
        choice.__name__, __base__=choice, __doc__=choice.__doc__, **{part.word: options}
    )  # type: ignore[call-overload]
