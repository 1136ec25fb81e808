"""Checks the paths and values of a search space against the recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from zoo.recipe import own_parts
from zoo.recipe.blocks import expand
from zoo.recipe.near import near
from zoo.recipe.overrides import parse_path, with_values
from zoo.recipe.problems import explain
from zoo.recipe.schema import Recipe
from zoo.recipe.shown import cut, listed
from zoo.recipe.tune import Entry, Tune
from zoo.recipe.yaml_reader import KeyPath

SPACE: KeyPath = ("tune", "space")
# Start of a path -> why it cannot be searched.
FIXED: dict[KeyPath, str] = {
    ("extends",): "it is read before a search.",
    ("set",): "it is read before a search.",
    ("tune",): "the search itself cannot be searched.",
    ("name",): "a name changes nothing.",
    ("seed",): "seeds are drawn: each stage has its own, and tune.confirm trains with several.",
    ("train", "epochs"): "set epochs in tune.stages instead.",
    ("train", "steps_per_epoch"): "set epochs in tune.stages instead; trials are of one length.",
    ("train", "monitor"): "set tune.objective instead.",
    ("train", "deterministic"): "it holds for the whole search.",
    ("evaluate",): "a search never sees the test split.",
}
# The keys of `data` that can be searched: images are read once for a whole search.
SEARCHABLE_DATA = ("preprocess", "augment")
# A value somewhere inside a range, at a fraction of its width that gives no round number.
INSIDE = 0.4637


def conditions(tune: Tune, path: str) -> dict[str, tuple[Any, ...]]:
    """The `when` of an entry: other paths of the space -> the values that they must have."""
    entry = tune.space[path]
    return {
        parent: tuple(value) if isinstance(value, list) else (value,)
        for parent, value in (entry.when or {}).items()
    }


def with_parents(tune: Tune, path: str) -> dict[str, Any]:
    """Values of other entries that let an entry be searched, those of all its parents included."""
    values: dict[str, Any] = {}
    for parent, allowed in conditions(tune, path).items():
        values |= with_parents(tune, parent)
        values[parent] = allowed[0]
    return values


def takes_whole_numbers(data: Any, tune: Tune, path: str) -> bool:
    """Whether an entry is a range of whole numbers: its ends are, and the key takes no others.

    Args:
        data: of the recipe, as given.
        tune: its search.
        path: of the entry.
    """
    entry = tune.space[path]
    if entry.min_value is None or entry.max_value is None:
        return False
    if isinstance(entry.min_value, float) or isinstance(entry.max_value, float):
        return False
    fractional = entry.min_value + (entry.max_value - entry.min_value) * INSIDE
    fractional += 0.0 if fractional % 1 else 0.25
    return rejection(data, tune, path, fractional) is not None


def problems(data: Any, tune: Tune) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with the space of a recipe, as (path, sentence).

    Args:
        data: of the recipe, as given; it must be valid but for its search.
        tune: its search, valid word by word.
    """
    faulty = set()
    for path in tune.space:
        of_entry = list(_entry_problems(tune, path))
        faulty |= {path} if of_entry else set()
        yield from of_entry
    for path in tune.space:
        if not {path, *_parents(tune, path)} & faulty:
            yield from _value_problems(data, tune, path)


def rejection(data: Any, tune: Tune, path: str, value: Any) -> str | None:
    """Why the recipe does not accept a value of an entry; None if it does.

    Args:
        data: of the recipe, as given.
        tune: its search.
        path: of the entry.
        value: for the key at that path.
    """
    with own_parts.known_in(data):
        return _rejection(data, {**with_parents(tune, path), path: value}, path)


def _parents(tune: Tune, path: str) -> set[str]:
    """All entries that an entry depends on, as far as they exist."""
    parents: set[str] = set()
    pending = [path]
    while pending:
        for parent in tune.space[pending.pop()].when or {}:
            if parent in tune.space and parent not in parents:
                parents.add(parent)
                pending.append(parent)
    return parents


def _entry_problems(tune: Tune, text: str) -> Iterator[tuple[KeyPath, str]]:
    """Problems of an entry that show without the recipe: its path and its `when`."""
    here = (*SPACE, text)
    path = parse_path(text)
    if path is None:
        yield here, "not a path. Expected one such as train.optimizer.SGD.learning_rate."
        return
    why = next((why for start, why in FIXED.items() if path[: len(start)] == start), None)
    if why is None and any(start[: len(path)] == path for start in FIXED):
        why = "it holds what belongs to the search itself; search the places inside of it."
    if path[0] == "data" and (len(path) < 2 or path[1] not in SEARCHABLE_DATA):
        why = "images are read once for a whole search; of data, preprocess and augment can vary."
    if why:
        yield here, f"cannot be searched: {why}"
    for parent, allowed in conditions(tune, text).items():
        message = _condition_fault(tune, text, parent, allowed)
        if message:
            yield (*here, "when", parent), message


def _condition_fault(tune: Tune, text: str, parent: str, allowed: tuple[Any, ...]) -> str | None:
    """What is wrong with one condition of an entry's `when`."""
    if parent not in tune.space:
        hint = near(parent, tune.space)
        return f"not in the space{hint} Expected another path of tune.space."
    values = tune.space[parent].values
    if values is None:
        return "has a range. Expected a path of the space that has values."
    if text in _parents(tune, text):
        return "goes round in a circle. Expected a path that does not depend on this one."
    unknown = [value for value in allowed if value not in values]
    if not unknown and allowed:
        return None
    return (
        f"not among its values. Expected some of [{listed(map(repr, values))}]. "
        f"Received {cut(repr(unknown[0] if unknown else list(allowed)))}."
    )


def _value_problems(data: Any, tune: Tune, text: str) -> Iterator[tuple[KeyPath, str]]:
    """What the recipe rejects of an entry: its path, an end of its range, a value of its list."""
    entry, here = tune.space[text], (*SPACE, text)
    base = with_parents(tune, text)
    _, path, why = with_values(data, {**base, text: None})
    if path == parse_path(text):
        yield here, why
        return
    for outer, values in _enclosing(tune, text):
        for value in values:
            _, path, why = with_values(data, {**base, outer: value, text: None})
            if path == parse_path(text):
                word = cut(str(next(iter(value), value) if isinstance(value, dict) else value))
                yield (
                    here,
                    f"has no place where {outer} is {word}. Expected when: {{{outer}: ...}}, with "
                    "the values that it goes with.",
                )
                return
    for key, value in _values(entry):
        message = _rejection(data, {**base, text: value}, text)
        if message:
            yield (*here, *key), message
            return
    if entry.values is None and entry.step not in (None, 1):
        step = float(entry.step or 1)
        if step % 1 and takes_whole_numbers(data, tune, text):
            yield (*here, "step"), f"wrong type. Expected a whole number. Received {step:g}."


def _enclosing(tune: Tune, text: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Entries with a list of values whose path encloses this one's, with the values it may meet."""
    inner = parse_path(text) or ()
    allowed = conditions(tune, text)
    for other, entry in tune.space.items():
        path = parse_path(other) or ()
        if other != text and entry.values is not None and inner[: len(path)] == path:
            yield other, allowed.get(other, entry.values)


def _values(entry: Entry) -> Iterator[tuple[KeyPath, Any]]:
    """The values that an entry gives, each with its path in the entry."""
    if entry.values is None:
        yield ("min_value",), entry.min_value
        yield ("max_value",), entry.max_value
    for index, value in enumerate(entry.values or ()):
        yield ("values", index), value


def _rejection(data: Any, values: Mapping[str, Any], text: str) -> str | None:
    """Why the value at the path `text` is invalid; problems that it has no part in do not count."""
    changed, path, why = with_values(data, values)
    if path is not None:
        return why
    searched = parse_path(text) or ()
    expansion = expand({key: part for key, part in changed.items() if key != "tune"})
    for fault in expansion.faults:
        if fault.origin.concerns(searched):
            return fault.message
    try:
        Recipe.model_validate(expansion.data)
    except ValidationError as error:
        for at, sentence in explain(error):
            if not expansion.is_broken(at) and expansion.origin(at).concerns(searched):
                return sentence
    return None
