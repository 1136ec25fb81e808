"""Changes of a recipe's data by dotted path, checked against the schema before they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from zoo.recipe.fields import Choice, first_option
from zoo.recipe.problems import model_at, unknown_key
from zoo.recipe.yaml_reader import Path, dotted

_STEP = re.compile(r"([A-Za-z0-9_]+)((?:\[\d+\])*)")


def parse_path(text: str) -> Path | None:
    """`a.b[0].c` as ("a", "b", 0, "c"); None where it is not a path."""
    path: list[str | int] = []
    for step in text.split("."):
        match = _STEP.fullmatch(step)
        if match is None:
            return None
        path.append(match[1])
        path.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(path)


def fault(data: Any, path: Path) -> tuple[Path, str] | None:
    """Where and why a path cannot be set in a recipe's data; None: it can."""
    here = data
    for index, part in enumerate(path):
        block, at = path[:index], path[: index + 1]
        if isinstance(here, list):
            if not isinstance(part, int):
                return at, f"{dotted(block)} is a list; write its items as {dotted(block)}[0]."
            if part >= len(here):
                return at, f"there is no item {part}; {dotted(block)} has {_items(len(here))}."
            here = here[part]
            continue
        if isinstance(part, int):
            return at, f"{dotted(block)} is not a list, so it has no item {part}."
        model = model_at(block)
        if model is None:
            return at, f"nothing to set '{part}' in; {dotted(block)} holds a value, not a map."
        if part not in model.model_fields:
            return at, unknown_key(at)
        words = _keys(here)
        if issubclass(model, Choice) and words and part not in words:
            return at, (
                f"the recipe has {words[0]} there. To take another word, set all of it: "
                f"{dotted(block)}={{{part}: ...}}"
            )
        here = here.get(part) if isinstance(here, dict) else None
    return None


def _items(count: int) -> str:
    return f"{count} item, [0]" if count == 1 else f"{count} items, [0] to [{count - 1}]"


def _keys(value: Any) -> list[str]:
    """The keys of a value, as far as it is a word or a map of words."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, dict) else []


def put(data: Any, path: Path, value: Any) -> None:
    """Sets a value at a path that `fault` found nothing wrong with."""
    here: Any = data
    for index, part in enumerate(path[:-1]):
        child: Any = here.get(part) if isinstance(here, dict) else here[part]
        if not isinstance(child, dict | list):
            child = _opened(child, path[: index + 1])
            here[part] = child
        here = child
    here[path[-1]] = value


def _opened(value: Any, path: Path) -> dict[str, Any]:
    """A short form written out, so that a key can be set in it.

    `optimizer: SGD` is `optimizer: {SGD: {}}`, and `SGD: 0.1` is `SGD: {learning_rate: 0.1}`.
    """
    model = model_at(path)
    if value is None or value == "none" or model is None or not model.model_fields:
        return {}
    if issubclass(model, Choice):
        return {str(value): {}}
    parent = model_at(path[:-1])
    short = parent is not None and issubclass(parent, Choice)
    return {first_option(model): value} if short else {}


def applied(data: Any, values: Mapping[str, Any]) -> tuple[Any, Path | None, str]:
    """A copy of a recipe's data with values at their paths, outer places first.

    Returns:
        The data, and the path and sentence of the first value that has no place there.
    """
    changed = deepcopy(data)
    for text in sorted(values, key=lambda text: len(parse_path(text) or ())):
        path = parse_path(text) or ()
        found = fault(changed, path)
        if found is not None:
            return changed, path, found[1]
        put(changed, path, deepcopy(values[text]))
    return changed, None, ""
