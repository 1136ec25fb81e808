"""Compares the data of two recipes, with every default written out. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel

from zoo.comparison.alignment import aligned
from zoo.comparison.brief import Brief
from zoo.recipe import Recipe, own_parts
from zoo.recipe.fields import Choice
from zoo.recipe.network import Stage, complete
from zoo.recipe.schema_types import bare_type, item_type, type_at
from zoo.recipe.yaml_reader import KeyPath, dotted


@dataclass(frozen=True)
class Difference:
    """A value that differs, or an item of a list that the other recipe does not have.

    Attributes:
        a_path: path in the first recipe; None where only the second has the item.
        b_path: path in the second recipe; None where only the first has the item.
        a: the value there, written briefly.
        b: the value there, written briefly.
    """

    a_path: KeyPath | None
    b_path: KeyPath | None
    a: Any = None
    b: Any = None

    def as_json(self) -> dict[str, Any]:
        """The entry of `recipe` in `zoo diff --json`."""
        paths = {"a_path": self.a_path, "b_path": self.b_path}
        texts = {key: path if path is None else dotted(path) for key, path in paths.items()}
        return {**texts, "a": self.a, "b": self.b}


def differences(first: Recipe, second: Recipe) -> Iterator[Difference]:
    """What differs between two resolved recipes, in the order of their keys.

    A difference of `model.defaults` is told there alone, not again with each stage that takes it
    from there.
    """
    complete()
    ours, theirs = (recipe.model_dump(mode="json") for recipe in (first, second))
    comparer = _Comparer(Brief(first), Brief(second))
    with own_parts.known_in({own_parts.KEY: [*first.plugins, *second.plugins]}):
        # All of it meanwhile: a generator's words would be known to who asks it, too.
        return iter([*comparer.values(ours, theirs, (), ())])


class _Comparer:
    """Compares values path by path."""

    def __init__(self, a_brief: Brief, b_brief: Brief) -> None:
        self.a_brief = a_brief
        self.b_brief = b_brief

    def values(self, a: Any, b: Any, a_path: KeyPath, b_path: KeyPath) -> Iterator[Difference]:
        """What differs between two values of one key."""
        if a == b and type(a) is type(b) or _is_equal_number(a, b):
            return
        kind = type_at(a_path)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            of_words = isinstance(kind, type) and issubclass(kind, Choice)
            if not of_words or a.keys() == b.keys():
                yield from self.maps(a, b, a_path, b_path)
                return
        if isinstance(a, list) and isinstance(b, list) and _is_aligned(type_at((*a_path, 0))):
            yield from self.lists(a, b, a_path, b_path)
            return
        yield Difference(a_path, b_path, self.a_brief(a, a_path), self.b_brief(b, b_path))

    def maps(
        self, a: Mapping[str, Any], b: Mapping[str, Any], a_path: KeyPath, b_path: KeyPath
    ) -> Iterator[Difference]:
        """What differs between two maps; a key that one of them lacks is of a search's space."""
        for key in {**a, **b}:
            here, there = (*a_path, key), (*b_path, key)
            if key in a and key in b:
                yield from self.values(a[key], b[key], here, there)
            elif key in a:
                yield Difference(here, None, a=self.a_brief(a[key], here))
            else:
                yield Difference(None, there, b=self.b_brief(b[key], there))

    def stages(
        self, pair: tuple[Any, Any], given: tuple[Any, Any], a_path: KeyPath, b_path: KeyPath
    ) -> Iterator[Difference]:
        """What differs between two stages of a kind, but for what follows from other values.

        Args:
            pair: the stages.
            given: the stages, written briefly.
            a_path: of the first.
            b_path: of the second.
        """
        if not all(isinstance(stage, Mapping) for stage in pair):
            yield Difference(a_path, b_path, *given)
            return
        ((word, ours),) = pair[0].items()
        theirs = pair[1][word]
        kind = type_at((*a_path, word))
        if not isinstance(ours, Mapping) or issubclass(kind, Choice):  # Such as `pool: max`.
            yield from self.values(ours, theirs, (*a_path, word), (*b_path, word))
            return
        options = [stage[word] if isinstance(stage, Mapping) else {} for stage in given]
        for key in {**ours, **theirs}:
            if options[0].get(key) != options[1].get(key):
                here, there = (*a_path, word, key), (*b_path, word, key)
                yield from self.values(ours.get(key), theirs.get(key), here, there)

    def lists(
        self, a: list[Any], b: list[Any], a_path: KeyPath, b_path: KeyPath
    ) -> Iterator[Difference]:
        """What differs between two lists of stages, or of other words with options."""
        ours, theirs = self.a_brief(a, a_path), self.b_brief(b, b_path)
        for i, j in aligned(ours, theirs):
            if j is None and i is not None:
                yield Difference((*a_path, i), None, a=ours[i])
            elif i is None and j is not None:
                yield Difference(None, (*b_path, j), b=theirs[j])
            elif i is not None and j is not None and ours[i] != theirs[j]:
                here, there = (*a_path, i), (*b_path, j)
                if type_at(here) is Stage:
                    yield from self.stages((a[i], b[j]), (ours[i], theirs[j]), here, there)
                else:
                    yield from self.values(a[i], b[j], here, there)


def _is_aligned(kind: Any) -> bool:
    """Whether lists of such items are compared item by item: words with options, blocks, stacks."""
    if get_origin(kind) is tuple:
        kind = bare_type(item_type(kind))
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_equal_number(a: Any, b: Any) -> bool:
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (a, b))
    return numbers and bool(a == b)
