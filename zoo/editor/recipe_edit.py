"""Sets one value of a recipe in the recipe's own text, as `--set` sets it in the data. Light.

The value goes where it belongs: into the key that the file gives, also in `set` of a variant; else
as a new key of the innermost map that the file gives. A short form that stands in the way is
written out: `SGD: 0.1` as `SGD: {learning_rate: 0.1, momentum: 0.9}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from zoo.editor.edit import CannotEdit, Edit, insert_key, replace_value
from zoo.recipe.extends import EXTENDS, SET
from zoo.recipe.fields import Choice, first_option
from zoo.recipe.overrides import fault, parse_path, put
from zoo.recipe.presets import as_map
from zoo.recipe.schema_types import model_at
from zoo.recipe.yaml_reader import KeyPath, dotted, read_text


def set_value(text: str, path: KeyPath, value: Any) -> Edit:
    """Set a value in the text of a recipe.

    Args:
        text: of a recipe's file.
        path: of the value, as `--set` names it.
        value: plain data.

    Returns:
        The changed text, which says what it said before but for this value.

    Raises:
        CannotEdit: the value cannot be written in its place; the message says why.
    """
    data = read_text(text).data
    if not isinstance(data, dict):
        raise CannotEdit("the file holds no recipe")
    given = data.get(SET)
    is_variant = data.get(EXTENDS) not in (None, "none")
    if is_variant and isinstance(given, dict):
        key, at = _covering(given, path)
        if key is not None:
            return _set_in_set(text, given, key, at, path, value)
    if is_variant and _crosses_missing_list(data, path):
        new = {**given, dotted(path): value} if isinstance(given, dict) else {dotted(path): value}
        return _changed(text, data, {**data, SET: new}, (SET, dotted(path)), ())
    changed = deepcopy(data)
    if path[0] == "data" and "data" in changed:
        changed["data"] = as_map(changed["data"])
    wrong = None if is_variant else fault(changed, path)
    if wrong is not None:
        raise CannotEdit(f"{dotted(wrong[0])}: {wrong[1]}")
    put(changed, path, value)
    return _changed(text, data, changed, path, ())


def _covering(given: Mapping[str, Any], path: KeyPath) -> tuple[str | None, KeyPath]:
    """The key of `set` that holds a path, the innermost one, and the path of that key."""
    found = [(key, parse_path(key) or ()) for key in given]
    holding = [(key, at) for key, at in found if at and path[: len(at)] == at]
    return max(holding, key=lambda entry: len(entry[1]), default=(None, ()))


def _set_in_set(
    text: str, given: Mapping[str, Any], key: str, at: KeyPath, path: KeyPath, value: Any
) -> Edit:
    """Set a value that `set` of a variant gives, or lies in one."""
    whole: dict[str, Any] = {}
    put(whole, at, deepcopy(given[key]))
    before = deepcopy(whole)
    put(whole, path, value)
    for part in at:
        before, whole = before[part], whole[part]  # type: ignore[index]
    return _changed(text, {SET: {key: before}}, {SET: {key: whole}}, (SET, key, *path[len(at) :]),
                    path[: len(at)])  # fmt: skip


def _crosses_missing_list(data: Any, path: KeyPath) -> bool:
    """Whether a path leads into a list that a variant leaves to its base."""
    for part in path:
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif isinstance(part, int):
            return True
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return False


def _changed(text: str, old: Any, new: Any, path: KeyPath, holder: KeyPath) -> Edit:
    """Make the one change of the text that turns old data into new data.

    Args:
        text: of the file.
        old: its data, on the way to the path at least.
        new: the same, with the value.
        path: of the value in the text.
        holder: path in the recipe of what `set` holds; () where the text has the recipe's paths.
    """
    for index, part in enumerate(path):
        if isinstance(old, dict) and isinstance(new, dict):
            if part not in old:
                order = _order(path[:index])
                return insert_key(text, path[: index + 1], new[part], order)
        elif not (isinstance(old, list) and isinstance(new, list)):
            inside = (*holder, *path[2:index]) if holder else path[:index]
            value = new[path[-1]] if _is_alone(old, new, inside, path[index:]) else new
            return replace_value(text, path[:index], value)
        old, new = old[part], new[part]
    return replace_value(text, path, new)


def _is_alone(old: Any, new: Any, path: KeyPath, rest: KeyPath) -> bool:
    """Whether a new value is the first option of a word, and the old one stood there alone."""
    model, parent = model_at(path), model_at(path[:-1])
    return (
        old is not None
        and len(rest) == 1
        and isinstance(new, dict)
        and list(new) == list(rest)
        and model is not None
        and parent is not None
        and issubclass(parent, Choice)
        and not issubclass(model, Choice)
        and bool(model.model_fields)
        and first_option(model) == rest[0]
        and not isinstance(new[rest[0]], dict)
    )


def _order(path: KeyPath) -> list[str]:
    """The order of keys in the block at a path: that of the schema."""
    model = model_at(path)
    return [] if model is None or issubclass(model, Choice) else list(model.model_fields)
