"""Values of a resolved recipe as somebody would write them: without what defaults say. Light."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import BaseModel

from zoo.recipe import Recipe, own_parts, own_words
from zoo.recipe.fields import Choice
from zoo.recipe.network import Stage
from zoo.recipe.norms import NORMS
from zoo.recipe.resolve import with_defaults
from zoo.recipe.schema_types import type_at
from zoo.recipe.yaml_reader import KeyPath

MOST_AFTER = 8  # Stages that follow one; its defaults depend on the next few.


class Brief:
    """Writes values of one recipe briefly.

    Args:
        recipe: resolved; the words of its own parts are known, and none of their code runs.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.defaults = recipe.model.defaults
        self.words, _ = own_parts.vocabulary({own_parts.KEY: recipe.plugins}, lambda at: None)
        self.known: dict[str, Any] = {}

    def __call__(self, value: Any, path: KeyPath) -> Any:
        """The value without options that have their defaults.

        Args:
            value: plain data of a resolved recipe.
            path: where it stands.
        """
        if not self.words.parts:
            return self._brief(value, path)
        with own_words.known(self.words):
            return self._brief(value, path)

    def _brief(self, value: Any, path: KeyPath) -> Any:
        kind = type_at(path)
        if isinstance(value, list):
            return self._items(value, path)
        if not isinstance(value, Mapping):
            return value
        if kind is Stage:
            return self._stage_once(value, path, [])
        if isinstance(kind, type) and issubclass(kind, Choice):
            ((word, options),) = value.items()
            inner = self._brief(options, (*path, word))
            return {word: inner} if inner or not isinstance(options, Mapping) else word
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return {
                key: self._brief(item, (*path, key))
                for key, item in value.items()
                if not _is_default(kind, key, item)
            }
        return {key: self._brief(item, (*path, key)) for key, item in value.items()}

    def _items(self, values: list[Any], path: KeyPath) -> list[Any]:
        """The items of a list."""
        if values and type_at((*path, 0)) is Stage:
            return [
                self._stage_once(value, (*path, index), values[index + 1 : index + 1 + MOST_AFTER])
                for index, value in enumerate(values)
            ]
        return [self._brief(item, (*path, index)) for index, item in enumerate(values)]

    def _stage_once(self, value: Any, path: KeyPath, after: list[Any]) -> Any:
        """A stage without the options that follow from `model.defaults` and from other options.

        Args:
            value: the stage.
            path: where it stands.
            after: the stages that follow it, on which some defaults depend.
        """
        key = json.dumps([value, after], sort_keys=True)
        if key not in self.known:
            following = tuple(Stage.model_validate(stage) for stage in after)
            self.known[key] = self._stage(value, path, following)
        return self.known[key]

    def _stage(self, value: Any, path: KeyPath, after: tuple[Stage, ...]) -> Any:
        if not isinstance(value, Mapping):
            return value
        ((word, options),) = value.items()
        model = type_at((*path, word))
        if not isinstance(options, Mapping) or issubclass(model, Choice):
            return {word: self._brief(options, (*path, word))}

        def resolved(kept: Mapping[str, Any]) -> Any:
            stage = Stage.model_validate({word: dict(kept)})
            written = with_defaults(stage, self.defaults, after).model_dump(mode="json")
            return written[word] if isinstance(written, Mapping) else {}

        kept = {key: item for key, item in options.items() if _is_needed(model, key, item)}
        bare = resolved(kept)
        kept |= {key: item for key, item in options.items() if bare.get(key) != item}
        if resolved(kept) != options:
            kept = dict(options)
        for keys in (set(NORMS).intersection(kept), *({key} for key in tuple(kept))):
            fewer = {key: item for key, item in kept.items() if key not in keys}
            if not any(_is_needed(model, key, options[key]) for key in keys) and (
                resolved(fewer) == options
            ):
                kept = fewer
        inner = {key: self._brief(item, (*path, word, key)) for key, item in kept.items()}
        return {word: inner} if inner else word


def _is_needed(model: type[BaseModel], key: str, value: Any) -> bool:
    """Whether a stage must give an option: a required one, or stages of its own."""
    field = model.model_fields[key]
    return field.is_required() or _holds_stages(field.annotation, value)


def _holds_stages(annotation: Any, value: Any) -> bool:
    return (
        get_origin(annotation) is tuple and isinstance(value, list) and "Stage" in str(annotation)
    )


def _is_default(model: type[BaseModel], key: str, value: Any) -> bool:
    """Whether a key of a block has its default."""
    field = model.model_fields.get(key)
    if field is None or field.is_required():
        return False
    return bool(plain(field.get_default(call_default_factory=True)) == value)


def plain(value: Any) -> Any:
    """A value of the schema as plain data, as JSON has them."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
