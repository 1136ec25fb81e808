"""Translates pydantic's errors: what is wrong, expected and received, and a near word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from zoo.plugins.part import PLACES
from zoo.recipe import own_words
from zoo.recipe.fields import Choice
from zoo.recipe.near import match, meanings, near
from zoo.recipe.schema_types import bare_type, item_type, may_be_none, model_at, type_at
from zoo.recipe.shown import cut, listed, received
from zoo.recipe.words import REMARKS
from zoo.recipe.words.word import BELOW_1, SMALLEST
from zoo.recipe.yaml_reader import KeyPath, dotted, plain

# Type of a pydantic error -> the type that it expected.
_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_unicode": "text of whole characters",
    "finite_number": "a finite number",
}
# Metrics that other tools ask for, and that are measured in any case.
_MEASURED = (
    "accuracy", "acc", "loss", "auc", "f1", "recall", "precision", "top5_accuracy", "top_5",
    "sparse_categorical_accuracy", "categorical_accuracy",
)  # fmt: skip
_LISTS = ("tuple_type", "too_short", "too_long")
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
# Booleans of YAML 1.1, which many still expect.
_YAML11_BOOLEANS = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "no": "false",
    "off": "false",
    "n": "false",
}


def _is_pair(annotation: Any) -> bool:
    return get_origin(annotation) is tuple and Ellipsis not in get_args(annotation)


def explain(error: ValidationError) -> list[tuple[KeyPath, str]]:
    """The problems of an error as (path, sentence), without those that follow from others."""
    items = error.errors(include_url=False)
    # A validator of a whole block gives the key at fault in its context.
    paths: list[KeyPath] = [(*item["loc"], *item.get("ctx", {}).get("at", ())) for item in items]
    misspelt = {
        _meant(path)
        for item, path in zip(items, paths, strict=True)
        if item["type"] == "extra_forbidden"
    }
    return [
        (path, _sentence(item["type"], item["input"], item, path))
        for item, path in zip(items, paths, strict=True)
        if not (item["type"] == "too_short" and _below(path, paths))
        and not (item["type"] == "missing" and path in misspelt)
        and not (item["type"] == "unknown_word" and own_words.is_broken(item["ctx"]["word"]))
    ]


def _meant(path: KeyPath) -> KeyPath:
    """The path with a misspelt last key corrected; unchanged where no key is near."""
    model = model_at(path[:-1])
    return (*path[:-1], match(path[-1], model.model_fields if model else ()) or path[-1])


def _below(path: KeyPath, paths: list[KeyPath]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)


def _sentence(kind: str, value: Any, item: Any, path: KeyPath) -> str:
    """The message for one of pydantic's errors.

    Args:
        kind: type of the error.
        value: the wrong value.
        item: pydantic's entry for the error.
        path: path of the value in the recipe.
    """
    context = item.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(path)
    if kind == "missing":
        return f"required key is missing{_meaning(path)}."
    if kind == "unknown_word":
        given = value.get(context["word"]) if isinstance(value, Mapping) else None
        return _unknown_word(context["word"], path, given)
    if kind == "one_word":
        return _one_word(value, path)
    if kind == "literal_error":
        names = [str(name) for name in get_args(type_at(path))]
        return f"unknown word{near(value, names)} {_one_of(names)} Received {received(value)}."
    if kind in _BOUNDS:
        key, text = _BOUNDS[kind]
        expected = _bound(text, context[key], value)
        return f"out of range. Expected {expected}. Received {received(value)}."
    if kind in _TYPES:
        return _wrong_type(kind, value)
    if kind in ("model_type", "dict_type"):
        return _no_map(value, path)
    if kind in _LISTS:
        return _wrong_list(kind, value, context, path)
    if kind == "string_pattern_mismatch":
        return (
            "not usable as a name. Expected letters, digits, '.', '_' and '-', first a letter or "
            f"digit, at most 64. Received {received(value)}."
        )
    if kind == "string_too_short":
        return "is empty. Expected text."
    if kind == "string_too_long":
        return (
            f"too long. Expected at most {context['max_length']:,} characters. "
            f"Received {len(value):,}: {received(value)}."
        )
    return f"{item['msg']}."


def _bound(text: str, limit: float, value: Any) -> str:
    """A bound in words: those that stand for "above 0" and "below 1" say so."""
    if limit == SMALLEST:
        return "more than 0" if value <= 0 else f"at least {limit} (less is 0 in float32)"
    if limit == -SMALLEST:
        return "less than 0" if value >= 0 else f"at most {limit} (more is 0 in float32)"
    if limit == BELOW_1:
        return "less than 1.0" if value >= 1 else f"at most {limit} (more is 1 in float32)"
    return f"{text} {limit:,.10g}" if isinstance(limit, float) and limit else f"{text} {limit}"


def _one_of(names: Iterable[str]) -> str:
    return f"Expected one of: {', '.join(names)}."


def unknown_key(path: KeyPath) -> str:
    """The sentence for a key that the block at `path[:-1]` does not have."""
    model = model_at(path[:-1])
    names = list(model.model_fields) if model else []
    if not names:
        return "unknown key. Expected nothing here: it takes no options."
    name, colon, value = str(path[-1]).partition(":")
    if colon and name in names:
        return f"unknown key; write a space after the colon: {name}: {cut(value)}."
    word = str(path[-1])
    if (start := re.match(r"\w+(?=[.\[])", word)) and start[0] in names:
        return (
            "unknown key. Single values of a recipe that this one extends are set by their paths: "
            f'set: {{"{cut(dotted((*path[:-1], word)))}": ...}}.'
        )
    block = str(path[-2]) if len(path) > 1 else ""
    remark = REMARKS.get(word.lower()) or REMARKS.get(f"{block}.{word.lower()}")
    hint = f"{remark}." if remark else _belongs(word, _homes(path[:-1]))
    if hint == "." and path[:-1] == ("model",) and word in _words((*path[:-1], "stack", 0)):
        hint = f"; '{word}' is a stage: an item of model.stack."
    if hint == "." and len(path) == 2:  # All of a word elsewhere is nearer than half of one here.
        hint = _belongs(word, [home for home in _homes(()) if len(home) < 2])
    if hint == ".":
        hint = near(word, names)
    if hint == ".":
        hint = _word_of(word, _homes(path[:-1]))
    if hint == ".":
        wanted = (meanings(word.lower())[:1] or (word,))[0]
        hint = _belongs(wanted, (*_homes(path[:-1]), *_homes(())))
    return f"unknown key{hint} {_one_of(names)}"


def _belongs(word: str, homes: Iterable[KeyPath]) -> str:
    """The end of a sentence that says where a key belongs; `.` if nowhere.

    Args:
        word: the key.
        homes: paths of the blocks that are looked at.
    """
    for path in homes:
        model = model_at(path)
        if model and word in model.model_fields and not issubclass(model, Choice):
            parent = model_at(path[:-1])
            # Several words of a choice may have the option: name the choice.
            home = path[:-1] if parent and issubclass(parent, Choice) else path
            return f"; '{word}' belongs in {dotted(home) or 'the recipe itself, at no indent'}."
    return "."


def _word_of(word: str, homes: Iterable[KeyPath]) -> str:
    """The end of a sentence that names the choice of which a key is a word; `.` if there is none.

    Args:
        word: the key.
        homes: paths of the blocks that are looked at.
    """
    for path in homes:
        if word in _words(path):
            return f"; '{word}' is a word of {dotted(path)}."
    return "."


def _homes(block: KeyPath) -> Iterator[KeyPath]:
    """The paths of a block and of the blocks in it, outer ones first; lists are left out."""
    level = [block]
    while level:
        yield from level
        level = [
            (*path, name)
            for path in level
            if (model := model_at(path)) is not None
            for name in model.model_fields
            if model_at((*path, name)) is not None
        ]


def _meaning(path: KeyPath) -> str:
    """The description of a key, in brackets."""
    model = model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model else None
    if field is None or not field.description:
        return ""
    text = field.description.rstrip(".")
    return f" ({text[0].lower() + text[1:] if text[1:2].islower() else text})"


def _words(path: KeyPath) -> list[str]:
    """The words of the choice at a path."""
    model = model_at(path)
    if model is None or not issubclass(model, Choice):
        return []
    return [*model.model_fields, *own_words.words_for(model.own_kind)]


def _unknown_word(word: str, path: KeyPath, given: object = None) -> str:
    allowed = _words(path)
    part = own_words.part_with(word)
    if part is not None:
        place = PLACES[part.kinds[0]]
        return f"'{cut(word)}' is {part.kind} ({part.origin.place}); its place is {place}."
    if path[:2] == ("train", "metrics"):
        remark = REMARKS["metrics"] if word.lower() in _MEASURED else near(word, allowed)
        end = "." if remark == REMARKS["metrics"] else ""
        mine = _one_of(allowed) if allowed else "Expected a metric of your own, named in plugins."
        return f"unknown word '{cut(word)}'{remark}{end} {mine}"
    if not allowed:
        return (
            f"unknown word '{cut(word)}'. Expected a word of plugins, and none of them is of this "
            "kind."
        )
    # `optimizer: {type: Adam}`: the word is given as a value.
    meant = f"; write {path[-1]}: {given}." if given in allowed else near(word, allowed)
    return f"unknown word '{cut(word)}'{meant} {_one_of(allowed)}"


def _one_word(value: Mapping[Any, Any], path: KeyPath) -> str:
    given = [str(key) for key in value]
    sentence = f"takes exactly one word. {_one_of(_words(path))}"
    if not given:
        return f"{sentence} Received none."
    sentence += f" Received: {listed(given)}; "
    if path[-1] == "class_weight":
        return f"{sentence}write {{values: [...]}}, a weight for each class in their order."
    words = _words(path)
    if not set(given) & set(words):
        # `pool: {kind: max, size: 2}`: the word is given as a value.
        word = next((str(text) for text in value.values() if str(text) in words), words[0])
        fields = getattr(model_at((*path, word)), "model_fields", None)
        inside = (
            f"{{{', '.join(f'{name}: ...' for name in list(fields)[:2])}}}" if fields else "..."
        )
        return f"{sentence}write the word first, and below it what it takes: {{{word}: {inside}}}."
    options = model_at((*path, given[0]))
    if options is not None and all(key in options.model_fields for key in given[1:]):
        # `- conv:` and, too little indented, `filters: 4` below it.
        return f"{sentence}indent {listed(given[1:])} to make it part of {given[0]}."
    return f"{sentence}keep one of them."


def _wrong_type(kind: str, value: Any) -> str:
    hint = ""
    if isinstance(value, str):
        if kind in ("int_type", "float_type") and isinstance(plain(value), int | float):
            hint = " Write numbers without quotes."
        elif kind == "bool_type" and value.lower() in _YAML11_BOOLEANS:
            hint = f" Write {_YAML11_BOOLEANS[value.lower()]}."
    elif kind == "string_type" and isinstance(value, int | float):
        hint = " Put it in quotes to make it text."
    return f"wrong type. Expected {_TYPES[kind]}. Received {received(value)}.{hint}"


def _no_map(value: Any, path: KeyPath) -> str:
    model = model_at(path)
    names = list(model.model_fields) if model else []
    if model is not None and issubclass(model, Choice):
        return f"wrong type. {_one_of(names)} Received {received(value)}."
    if get_origin(type_at(path)) is dict:
        of = f"names of {path[-1]}" if path[0] == "model" else "paths, such as train.optimizer"
        return f"wrong type. Expected a map of {of}. Received {received(value)}."
    if not names:
        return f"takes no options. Received {received(value)}."
    none = ", or none" if may_be_none(path) else ""
    hint = " Leave out the leading '-'." if isinstance(value, list) and value else ""
    if isinstance(value, str) and "from" in names:
        hint = f" Write {{from: {cut(value)}}}."
    is_whole = model is not None and all(f.is_required() for f in model.model_fields.values())
    keys = _joined(names, "and" if is_whole else "or")
    return f"wrong type. Expected a map with {keys}{none}. Received {received(value)}.{hint}"


def _joined(names: list[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _size_hint(value: Any, path: KeyPath) -> str:
    """What to write for a size that another tool writes with channels, or as text."""
    if isinstance(value, list | tuple) and len(value) == 3 and "image_size" in path:
        return (
            " Leave out the channels; data.color_mode (rgb or grayscale) says how many there are."
        )
    numbers = re.fullmatch(r"\(?\s*(\d{1,9})\s*[x,]\s*(\d{1,9})\s*\)?", str(value))
    return f" Write [{numbers[1]}, {numbers[2]}]." if numbers else ""


def _wrong_list(kind: str, value: Any, context: Mapping[str, Any], path: KeyPath) -> str:
    if _is_pair(type_at(path)):
        if bare_type(item_type(type_at(path))) is float:
            return f"wrong type. Expected [low, high]. Received {received(value)}."
        return (
            "wrong type. Expected [height, width] or one whole number for both. "
            f"Received {received(value)}.{_size_hint(value, path)}"
        )
    if kind == "tuple_type":
        hint = ""
        if isinstance(value, Mapping):
            hint = " Start each item with '-'."
        elif value is not None and not isinstance(value, bool):
            hint = f" Write [{cut(str(value))}]."
        return f"wrong type. Expected a list. Received {received(value)}.{hint}"
    bound = context.get("min_length", context.get("max_length"))
    word = "at least" if kind == "too_short" else "at most"
    return f"wrong length. Expected {word} {bound}. Received {received(value)}."
