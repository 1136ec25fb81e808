"""Writes out what a recipe leaves to others: the recipe that it extends, its preset of data. Light.

A variant says `extends: NAME` or `extends: FILE` and what differs. Its `set` changes single values
of the base by their paths, as `--set` does; a list can be changed in one item only in that way.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from zoo.errors import Problem, RecipeError, UsageError
from zoo.files.user_paths import user_path
from zoo.recipe import foreign, own_parts, presets
from zoo.recipe.merging import merged
from zoo.recipe.near import near
from zoo.recipe.overrides import fault, parse_path, put
from zoo.recipe.shipped import find, shipped
from zoo.recipe.shown import cut, received
from zoo.recipe.yaml_reader import Document, KeyPath, dotted

EXTENDS, SET = "extends", "set"
# In the place of an unknown preset, so that nothing but the preset is reported.
STAND_IN = {"source": "digits", "image_size": [224, 224]}
NO_CHAIN = (
    "a recipe can extend only a recipe that extends none. Extend {further} here, and repeat what "
    "{base} changes; or save what `zoo show {base} --yaml` prints, and extend that file"
)


def written_out(document: Document) -> Document:
    """The document with the base's values, the preset's, and those of `set`, written out.

    Args:
        document: a recipe's, as it was read.

    Returns:
        A document without `extends`, `set` and `data.preset`. What is wrong with them is in its
        problems.

    Raises:
        RecipeError: the base cannot be found or read, or extends another recipe.
    """
    if not isinstance(document.data, dict):
        return document
    given = document
    is_variant = document.data.get(EXTENDS) not in (None, "none")
    if is_variant:
        document = _without(given, EXTENDS, SET)
        document = merged(_base(given, document), document)
        first = {"name": document.data["name"]} if "name" in document.data else {}
        document = replace(document, data={**first, **document.data})
    document = with_preset(document)
    if is_variant and SET in given.data:
        return _with_values(document, given)
    return _without(_without_set(document), EXTENDS)


def base_file(document: Document) -> Path | None:
    """The file of the recipe that a document extends; None if it extends none.

    Raises:
        UsageError: there is no such recipe.
    """
    name = document.data.get(EXTENDS) if isinstance(document.data, Mapping) else None
    if not isinstance(name, str) or name == "none":
        return None
    beside = user_path(Path(document.file or "").parent / os.path.expanduser(name))
    if beside.is_file() or beside.is_dir():
        return find(str(beside))
    names = shipped()
    if name in names:
        return names[name]
    nearby = [file.name for file in beside.parent.glob("*.y*ml")] if beside.parent.is_dir() else []
    raise UsageError(
        f"no recipe '{cut(name)}'{near(name, [*names, *nearby])} Expected a file, relative to this "
        f"one, or one of: {', '.join(names)}."
    )


def with_preset(document: Document) -> Document:
    """The document with the preset of its `data` written out."""
    data = document.data
    block = data.get("data")
    if not isinstance(presets.as_map(block), Mapping):
        return document
    wrong = presets.fault(block)
    block = dict(presets.as_map(block))
    name = block.pop("preset", None)
    key = presets.PATH if presets.PATH in document.lines else presets.PATH[:1]
    if wrong is not None:
        path, message, name = wrong
        document = _with_problem(document, document, ("data", *path), message)
        if name is None:
            block = {**STAND_IN, **block}
    document = replace(document, data={**data, "data": block})
    if name in (None, "none"):
        return document
    file, line = document.place(key)
    lines: dict[KeyPath, int] = {} if line is None else {(): line}
    preset = Document({"data": presets.block_of(name)}, lines, (), file)
    whole = merged(preset, document)
    return replace(whole, data={key: whole.data[key] for key in document.data})


def _chain(given: Document, file: Path, base: Document) -> str:
    """What is wrong with a document whose base, in a file, extends another recipe."""
    name, further = given.data[EXTENDS], cut(str(base.data[EXTENDS]))
    if _is_file_of(given, file):
        return "a recipe cannot extend itself; name another."
    try:
        again = base_file(base)
    except UsageError:
        again = None
    if again is not None and _is_file_of(given, again):
        return f"{name} extends this recipe, and neither can be read first; name another."
    return f"{name} extends {further}, and {NO_CHAIN.format(further=further, base=name)}."


def _is_file_of(document: Document, file: Path) -> bool:
    return document.file is not None and os.path.realpath(file) == os.path.realpath(document.file)


def _base(given: Document, variant: Document) -> Document:
    """The recipe that a document extends, without what the variant says anew as a whole.

    Args:
        given: the document.
        variant: the document without `extends` and `set`.

    Raises:
        RecipeError: it cannot be found or read, or extends another recipe.
    """
    name, file = given.data[EXTENDS], None
    message = f"wrong type. Expected the name of a recipe, or a file. Received {received(name)}."
    try:
        file = base_file(given)
    except UsageError as error:
        message = error.message
    if file is None:
        raise _refused(given, message)
    base = foreign.read(file)
    if not isinstance(base.data, Mapping):
        message = "not a recipe. Expected a map with name, data, model and train."
        raise RecipeError([*given.problems, Problem(message=message, file=base.file)])
    if base.data.get(EXTENDS) not in (None, "none"):
        raise _refused(given, _chain(given, file, base))
    base = _without_set(base)
    data = {key: value for key, value in base.data.items() if key != "name"}
    block, own = presets.as_map(data.get("data")), presets.as_map(variant.data.get("data"))
    if isinstance(own, Mapping) and isinstance(block, Mapping) and "preset" in own:
        block = {key: value for key, value in block.items() if key not in presets.IDENTITY}
    if "data" in data:
        data["data"] = block
    return replace(base, data=data)


def _with_values(document: Document, given: Document) -> Document:
    """The document with the values of the variant's `set`, outer paths first."""
    with own_parts.known_in(document.data, partial(own_parts.folder_of, document)):
        return _with_known_values(document, given)


def _with_known_values(document: Document, given: Document) -> Document:
    """As `_with_values`, where the words of the user's own parts are known."""
    values = given.data[SET]
    if not isinstance(values, Mapping):
        message = f"wrong type. Expected a map of paths. Received {received(values)}."
        return _with_problem(document, given, (SET,), message)
    done: dict[str, KeyPath] = {}
    for text, path in sorted(
        ((text, parse_path(text)) for text in values), key=lambda entry: len(entry[1] or ())
    ):
        message = "not a path. Expected one such as model.stack[0].conv.filters."
        if path is not None:
            at, message = fault(document.data, path) or (path, "")
            message = message if at == path else f"{dotted(at)}: {message}"
        if message or path is None:
            document = _with_problem(document, given, (SET, text), message)
        else:
            put(document.data, path, values[text])
            done[text] = path
    return _moved(document, given, done)


def _moved(document: Document, given: Document, paths: Mapping[str, KeyPath]) -> Document:
    """The document with the lines of values that were set.

    Args:
        document: with the values.
        given: the variant, with the lines of its `set`.
        paths: key of `set` -> the path that it sets.
    """
    targets = set(paths.values())

    def is_replaced(path: KeyPath) -> bool:
        return any(path[:end] in targets for end in range(len(path) + 1))

    lines = {path: line for path, line in document.lines.items() if not is_replaced(path)}
    for known, line in given.lines.items():
        if known[:1] == (SET,) and known[1:2] and known[1] in paths:
            lines[(*paths[str(known[1])], *known[2:])] = line
    files = {path: file for path, file in document.files.items() if not is_replaced(path)}
    return replace(document, lines=lines, files=files)


def _without(document: Document, *keys: str) -> Document:
    data = {key: value for key, value in document.data.items() if key not in keys}
    if isinstance(data.get("data"), str):
        data["data"] = presets.as_map(data["data"])
    return replace(document, data=data)


def _without_set(document: Document) -> Document:
    """The document without a `set` that has no base, which is a problem."""
    if SET not in document.data:
        return document
    message = "changes values of the recipe that `extends` names, and there is none. Write the "
    message += "values where they belong."
    return _with_problem(_without(document, SET), document, (SET,), message)


def _with_problem(document: Document, at: Document, path: KeyPath, message: str) -> Document:
    """The document with a problem at a path of another, or of the same."""
    file, line = at.place(path)
    problem = Problem(message=message, file=file, line=line, path=dotted(path))
    return replace(document, problems=(*document.problems, problem))


def _refused(document: Document, message: str) -> RecipeError:
    return RecipeError(_with_problem(document, document, (EXTENDS,), message).problems)
