"""Merges two recipes' data: a variant's with its base's, a `data` block's with its preset's. Light.

Maps are merged key by key; `{SGD: 0.1}` counts as the map that it is short for. Everything else
that the variant gives, a list, a number, a word alone or another word of a choice, replaces what
the base has. `none` takes a key of the base away where it is not itself a value of that key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from zoo.recipe.fields import Choice, first_option
from zoo.recipe.schema_types import may_be_none, model_at, type_at
from zoo.recipe.yaml_reader import Document, KeyPath

# Path of a key -> keys beside it that belong to its value: another value takes them away.
BELONGING: dict[KeyPath, tuple[str, ...]] = {
    ("data", "source", "tfds", "name"): ("num_classes",),
}


def merged(base: Document, variant: Document) -> Document:
    """The data of a variant, and those of its base where the variant has none.

    Args:
        base: what the variant leaves out.
        variant: what wins.

    Returns:
        A document under the variant's name in which each value has the file and line that it
        comes from.
    """
    merge = _Merge(base, variant)
    data = merge.value(base.data, variant.data, ())
    return replace(
        variant,
        data=data,
        lines=merge.lines,
        files=merge.files,
        problems=(*variant.problems, *base.problems),
    )


class _Merge:
    """Merges values path by path, and notes where each comes from."""

    def __init__(self, base: Document, variant: Document) -> None:
        self.base = base
        self.variant = variant
        self.lines: dict[KeyPath, int] = {}
        self.files: dict[KeyPath, str] = {}

    def value(self, base: Any, variant: Any, path: KeyPath) -> Any:
        """The value at a path, which base and variant both have."""
        pair = _maps(base, variant, path)
        if pair is None:
            return self.taken(self.variant, variant, path)
        return self.maps(*pair, path)

    def maps(
        self, base: Mapping[str, Any], variant: Mapping[str, Any], path: KeyPath
    ) -> dict[str, Any]:
        self.note(self.variant, path)
        dropped = {
            key
            for known, keys in BELONGING.items()
            if known[:-1] == path and _differ(base, variant, str(known[-1]))
            for key in keys
        }
        data: dict[str, Any] = {}
        for key, value in base.items():
            if key in variant:
                data |= self.entry(value, variant[key], (*path, key))
            elif key not in dropped:
                data[key] = self.taken(self.base, value, (*path, key))
        for key, value in variant.items():
            if key not in base:
                data[key] = self.taken(self.variant, value, (*path, key))
        return data

    def entry(self, base: Any, variant: Any, path: KeyPath) -> dict[str, Any]:
        """The merged value under its key; nothing where the variant takes the key away."""
        if variant in ("none", None) and _removes(path):
            self.note(self.variant, path)
            return {}
        return {str(path[-1]): self.value(base, variant, path)}

    def taken(self, document: Document, value: Any, path: KeyPath) -> Any:
        """A copy of a value of one of the documents."""
        self.note(document, path)
        if isinstance(value, Mapping):
            return {key: self.taken(document, item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.taken(document, item, (*path, i)) for i, item in enumerate(value)]
        return value

    def note(self, document: Document, path: KeyPath) -> None:
        """Notes the file and line of a path, as a document has them."""
        file, line = document.place(path)
        if line is not None:
            self.lines[path] = line
        if file is not None and file != self.variant.file:
            self.files[path] = file


def _maps(base: Any, variant: Any, path: KeyPath) -> tuple[Any, Any] | None:
    """Both values as maps to be merged; None where the variant's replaces the base's."""
    model, parent = model_at(path), model_at(path[:-1]) if path else None
    if parent is not None and issubclass(parent, Choice) and model is not None:
        # The options of one word: `SGD: 0.1` is short for `SGD: {learning_rate: 0.1}`.
        base, variant = (_options(value, model) for value in (base, variant))
    if not (isinstance(base, Mapping) and isinstance(variant, Mapping)):
        return None
    if model is not None and issubclass(model, Choice) and set(base) != set(variant):
        return None
    return base, variant


def _options(value: Any, model: Any) -> Any:
    """The options of a word as a map, where they are given as the first one alone."""
    is_whole = value is None or isinstance(value, Mapping)
    if is_whole or issubclass(model, Choice) or not model.model_fields:
        return value
    return {first_option(model): value}


def _differ(base: Mapping[str, Any], variant: Mapping[str, Any], key: str) -> bool:
    return key in base and key in variant and base[key] != variant[key]


def _removes(path: KeyPath) -> bool:
    """Whether `none` at a path takes away what the base has there: it is no value of that key."""
    parent, kind = model_at(path[:-1]), type_at(path)
    if parent is not None and issubclass(parent, Choice):
        return False  # It would take the word away, and leave a choice without one.
    if kind is None or kind is Any:  # Unknown, or any value: of a block's parameter.
        return False
    is_word = isinstance(kind, type) and issubclass(kind, Choice) and "none" in kind.model_fields
    return not (may_be_none(path) or is_word or kind is str or "none" in get_args(kind))
