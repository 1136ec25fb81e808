"""Whether the paths of a search space hold in a recipe, and what kind of number each takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from zoo.recipe.overrides import applied, parse_path
from zoo.recipe.problems import explain, near
from zoo.recipe.schema import Recipe
from zoo.recipe.tune import Entry, Tune
from zoo.recipe.yaml_reader import Path

SPACE: Path = ("tune", "space")
# Why a place cannot be searched, by the start of its path.
FIXED: dict[Path, str] = {
    ("tune",): "the search itself cannot be searched.",
    ("name",): "a name changes nothing.",
    ("seed",): "seeds are drawn: each stage has its own, and tune.confirm trains with several.",
    ("train", "epochs"): "set epochs in tune.stages instead.",
    ("train", "monitor"): "set tune.objective instead.",
    ("train", "deterministic"): "it holds for the whole search.",
    ("evaluate",): "a search never sees the test split.",
}
# Images are read once for a whole search.
OF_DATA = ("preprocess", "augment")


def conditions(tune: Tune, text: str) -> dict[str, tuple[Any, ...]]:
    """What must hold for an entry to be searched: the values that other entries must have."""
    entry = tune.space[text]
    return {
        parent: tuple(value) if isinstance(value, list) else (value,)
        for parent, value in (entry.when or {}).items()
    }


def with_parents(tune: Tune, text: str) -> dict[str, Any]:
    """Values of other entries under which this one is searched, those of their parents included."""
    found: dict[str, Any] = {}
    for parent, allowed in conditions(tune, text).items():
        found |= with_parents(tune, parent)
        found[parent] = allowed[0]
    return found


def whole(data: Any, tune: Tune, text: str) -> bool:
    """Whether a range's place takes whole numbers alone."""
    entry = tune.space[text]
    if entry.min_value is None or entry.max_value is None:
        return False
    between = entry.min_value + (entry.max_value - entry.min_value) * 0.4637
    broken = between if between % 1 else between + 0.25
    return bool(_wrong(data, {**with_parents(tune, text), text: broken}, text)) and not any(
        isinstance(end, float) for end in (entry.min_value, entry.max_value)
    )


def problems(data: Any, tune: Tune) -> Iterator[tuple[Path, str]]:
    """What is wrong with the space of a recipe as (path, sentence).

    Args:
        data: the recipe as given, which holds without its `tune` block.
        tune: that block, valid word by word.
    """
    known = list(tune.space)
    broken = set()
    for text in known:
        found = list(_of_entry(tune, text, known))
        broken |= {text} if found else set()
        yield from found
    for text in known:
        family = {text, *_parents(tune, text)}
        if not family & broken:
            yield from _values(data, tune, text)


def _parents(tune: Tune, text: str) -> set[str]:
    """All entries that an entry depends on, as far as they exist."""
    found: set[str] = set()
    left = [text]
    while left:
        for parent in tune.space[left.pop()].when or {}:
            if parent in tune.space and parent not in found:
                found.add(parent)
                left.append(parent)
    return found


def _of_entry(tune: Tune, text: str, known: list[str]) -> Iterator[tuple[Path, str]]:
    here = (*SPACE, text)
    path = parse_path(text)
    if path is None:
        yield here, "not a path. Expected one such as train.optimizer.SGD.learning_rate."
        return
    why = next((why for start, why in FIXED.items() if path[: len(start)] == start), None)
    if why is None and any(start[: len(path)] == path for start in FIXED):
        why = "it holds what belongs to the search itself; search the places inside of it."
    if path[0] == "data" and (len(path) < 2 or path[1] not in OF_DATA):
        why = "images are read once for a whole search; of data, preprocess and augment can vary."
    if why:
        yield here, f"cannot be searched: {why}"
    for parent, allowed in conditions(tune, text).items():
        at = (*here, "when", parent)
        if parent not in known:
            yield at, f"not in the space{near(parent, known)} Expected another path of tune.space."
        elif tune.space[parent].values is None:
            yield at, "has a range. Expected a path of the space that has values."
        elif text in _parents(tune, text):
            yield at, "goes round in a circle. Expected a path that does not depend on this one."
        else:
            listed = tune.space[parent].values or ()
            strange = [value for value in allowed if value not in listed]
            if strange or not allowed:
                yield (
                    at,
                    f"not among its values. Expected some of {list(listed)}. "
                    f"Received {strange[0] if strange else list(allowed)!r}.",
                )


def _values(data: Any, tune: Tune, text: str) -> Iterator[tuple[Path, str]]:
    """What the recipe says to the values of an entry: the ends of a range, or each of a list."""
    entry, here = tune.space[text], (*SPACE, text)
    base = with_parents(tune, text)
    changed, path, why = applied(data, {**base, text: None})
    if path == parse_path(text):
        yield here, why
        return
    for other, values in _above(tune, text):
        for value in values:
            _, path, why = applied(data, {**base, other: value, text: None})
            if path == parse_path(text):
                word = next(iter(value)) if isinstance(value, dict) else value
                yield (
                    here,
                    f"has no place where {other} is {word}. Expected when: {{{other}: ...}}, with "
                    "the values that it goes with.",
                )
                return
    for key, value in _shown(entry):
        said = _wrong(data, {**base, text: value}, text)
        if said:
            yield (*here, *key), said
            return
    if entry.values is None and whole(data, tune, text) and entry.step not in (None, 1):
        step = float(entry.step or 1)
        if step % 1:
            yield (*here, "step"), f"wrong type. Expected a whole number. Received {step:g}."


def refused(data: Any, tune: Tune, text: str, value: Any) -> str | None:
    """Why a recipe does not take a value of its space's entry; None: it does."""
    return _wrong(data, {**with_parents(tune, text), text: value}, text)


def _above(tune: Tune, text: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Entries with values that an entry's place lies in, and those of their values it may meet."""
    mine = parse_path(text) or ()
    allowed = conditions(tune, text)
    for other, entry in tune.space.items():
        path = parse_path(other) or ()
        if other != text and entry.values is not None and mine[: len(path)] == path:
            yield other, allowed.get(other, entry.values)


def _shown(entry: Entry) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if entry.values is None:
        yield ("min_value",), entry.min_value
        yield ("max_value",), entry.max_value
    for index, value in enumerate(entry.values or ()):
        yield ("values", index), value


def _wrong(data: Any, values: Mapping[str, Any], text: str) -> str | None:
    """What is wrong with the value of `text` in a recipe; what does not fit together is not."""
    changed, path, why = applied(data, values)
    if path is not None:
        return why
    wanted = parse_path(text) or ()
    try:
        Recipe.model_validate({key: part for key, part in changed.items() if key != "tune"})
    except ValidationError as error:
        for at, sentence in explain(error):
            if at[: len(wanted)] == wanted:
                return sentence
    return None
