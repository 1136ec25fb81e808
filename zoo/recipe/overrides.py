"""Changes of a recipe's data by dotted path, checked against the schema before they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from zoo.recipe import own_parts, own_words
from zoo.recipe.blocks import places
from zoo.recipe.fields import Choice, first_option
from zoo.recipe.problems import unknown_key
from zoo.recipe.schema_types import model_at
from zoo.recipe.yaml_reader import KeyPath, dotted

_STEP = re.compile(r"([A-Za-z0-9_]+)((?:\[[0-9]{1,18}\])*)")


def parse_path(text: str) -> KeyPath | None:
    """`a.b[0].c` as ("a", "b", 0, "c"); None where the text is not a path."""
    path: list[str | int] = []
    for step in text.split("."):
        match = _STEP.fullmatch(step)
        if match is None:
            return None
        path.append(match[1])
        path.extend(int(index) for index in re.findall("[0-9]+", match[2]))
    return tuple(path)


def fault(data: Any, path: KeyPath) -> tuple[KeyPath, str] | None:
    """Why a path cannot be set in a recipe's data.

    Returns:
        The part of the path that is at fault, and a sentence; None if the path can be set.
    """
    node = data
    for index, part in enumerate(path):
        block, at = path[:index], path[: index + 1]
        short = _of_first_option(node, block) if isinstance(node, list) else None
        if short is not None and isinstance(part, int):
            ((key, _),) = short.items()
            longer = (*block, key)
            return at, (
                f"{dotted(block)} is short for {dotted(longer)}. Expected "
                f"{dotted((*longer, part))}."
            )
        node = node if short is None else short
        if isinstance(node, list):
            if not isinstance(part, int):
                return at, f"{dotted(block)} is a list; write its items as {dotted(block)}[0]."
            if part >= len(node):
                return at, f"there is no item {part}; {dotted(block)} has {_items(len(node))}."
            node = node[part]
            continue
        if isinstance(part, int):
            return at, f"{dotted(block)} is not a list, so it has no item {part}."
        is_of_block, message = places.key_fault(data, at, node, is_last=index == len(path) - 1)
        message = message if is_of_block else _schema_fault(at)
        if message:
            return at, message
        given = _keys(node)
        if _is_choice(block) and given and part not in given:
            return at, (
                f"the recipe has {given[0]} there. To take another word, set all of it: "
                f"{dotted(block)}={{{part}: ...}}"
            )
        node = node.get(part) if isinstance(node, dict) else None
    return None


def _schema_fault(path: KeyPath) -> str | None:
    """Why the schema has no such key at the end of a path; None: it has."""
    model = model_at(path[:-1])
    if model is None:
        return f"nothing to set '{path[-1]}' in; {dotted(path[:-1])} holds a value, not a map."
    if path[-1] in model.model_fields:
        return None
    if issubclass(model, Choice) and own_words.choice_with(model, model.own_kind, path[-1]):
        return None
    return unknown_key(path)


def _is_choice(path: KeyPath) -> bool:
    model = model_at(path)
    return model is not None and issubclass(model, Choice)


def _items(count: int) -> str:
    return f"{count} item, [0]" if count == 1 else f"{count} items, [0] to [{count - 1}]"


def _keys(value: Any) -> list[str]:
    """The keys of a map; a word counts as a map with that key."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, dict) else []


def put(data: Any, path: KeyPath, value: Any) -> None:
    """Sets a value in a recipe's data, in place.

    Args:
        data: of a recipe.
        path: one in which `fault` finds nothing wrong.
        value: to be set.
    """
    node: Any = data
    for index, part in enumerate(path[:-1]):
        child: Any = node.get(part) if isinstance(node, dict) else node[part]
        if not isinstance(child, dict | list):
            alone = places.given_alone(data, path[: index + 1], child)
            child = _expanded(child, path[: index + 1]) if alone is None else alone
            node[part] = child
        elif isinstance(child, list) and isinstance(path[index + 1], str):
            child = _of_first_option(child, path[: index + 1]) or child
            node[part] = child
        node = child
    node[path[-1]] = value


def _of_first_option(items: list[Any], path: KeyPath) -> dict[str, Any] | None:
    """A list that stands for the first option of a word, with that option's name; or None.

    `residual: [...]` is `residual: {stack: [...]}`.
    """
    model, parent = model_at(path), model_at(path[:-1])
    if model is None or parent is None or not issubclass(parent, Choice):
        return None
    is_word = issubclass(model, Choice) or not model.model_fields
    return None if is_word else {first_option(model): items}


def _expanded(value: Any, path: KeyPath) -> dict[str, Any]:
    """A short form as a map, so that a key can be set in it.

    `optimizer: SGD` is `optimizer: {SGD: {}}`, and `SGD: 0.1` is `SGD: {learning_rate: 0.1}`.
    """
    model = model_at(path)
    if value is None or value == "none" or model is None or not model.model_fields:
        return {}
    if issubclass(model, Choice):
        return {str(value): {}}
    parent = model_at(path[:-1])
    of_word = parent is not None and issubclass(parent, Choice)
    return {first_option(model): value} if of_word else {}


def with_values(data: Any, values: Mapping[str, Any]) -> tuple[Any, KeyPath | None, str]:
    """A copy of a recipe's data with values at their paths, outer paths first.

    Args:
        data: of a recipe.
        values: path -> value.

    Returns:
        The copy, and the path of the first value that cannot be set, with a sentence that says why;
        the path is None if all could be set.
    """
    changed = deepcopy(data)
    with own_parts.known_in(data):
        for text in sorted(values, key=lambda text: len(parse_path(text) or ())):
            path = parse_path(text) or ()
            misplaced = fault(changed, path)
            if misplaced is not None:
                return changed, path, misplaced[1]
            put(changed, path, deepcopy(values[text]))
    return changed, None, ""
