"""Changes one value of a YAML text in its place; comments, order and quotes stay. Light.

No package does that: ruamel.yaml keeps comments, and writes the whole text anew all the same, with
indentation, line breaks and widths of its own. An edit is verified by reading the text again: it
must say what it said before, but for the one value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from zoo.editor.tree import Node, parse
from zoo.errors import RecipeError
from zoo.recipe.writing import flow
from zoo.recipe.yaml_reader import KeyPath, dotted, read_text


class CannotEdit(Exception):
    """A value that cannot be written where it belongs; the message says why."""


@dataclass(frozen=True)
class Edit:
    """A changed text.

    Attributes:
        text: with the change.
        line: of the change, from 1.
        before: text of the value that was replaced; None if the key is new.
    """

    text: str
    line: int
    before: str | None


def replace_value(text: str, path: KeyPath, value: Any) -> Edit:
    """Replace the value at a path.

    Args:
        text: YAML as recipes have it.
        path: of a value that the text holds.
        value: plain data.

    Raises:
        CannotEdit: the value is, or lies in, something that stands for others too.
    """
    node = _find(text, path)
    expected = deepcopy(read_text(text).data)
    _put(expected, path, value)
    before = text[node.start : node.end]
    edits = (text[: node.start] + new + text[node.end :] for new in _forms(before, node, value))
    return _verified(text, edits, expected, node, before, path)


def insert_key(text: str, path: KeyPath, value: Any, order: Sequence[str] = ()) -> Edit:
    """Add a key to a map.

    Args:
        text: YAML as recipes have it.
        path: of the new key, the map it belongs into and its name.
        value: plain data.
        order: of keys in such a map: the new one comes behind those that precede it.

    Raises:
        CannotEdit: the map is, or lies in, something that stands for others too.
    """
    *parents, key = path
    node = _find(text, tuple(parents))
    if node.kind != "map":
        raise CannotEdit(f"{dotted(tuple(parents))} is no map")
    expected = deepcopy(read_text(text).data)
    _put(expected, path, value)
    name = _written(str(key)) if node.style else flow(str(key))
    entry = f"{name}: {_written(value)}"
    edits = (
        text[:at] + before + entry + behind + text[at:]
        for at, before, behind in _places(text, node, str(key), order)
    )
    return _verified(text, edits, expected, node, None, path)


def _find(text: str, path: KeyPath) -> Node:
    try:
        node = parse(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" of line {mark.line + 1}"
        raise CannotEdit(f"the layout{where} is one that only a person can edit") from None
    for end, part in enumerate(path):
        node = None if node is None else node.of(part)
        if node is not None and node.kind == "alias" and end + 1 < len(path):
            line = text.count("\n", 0, node.start) + 1
            raise CannotEdit(
                f"{dotted(path[: end + 1])} in line {line} is *{node.text}, which stands elsewhere "
                "too: write its values out"
            )
    if node is None:
        raise CannotEdit(f"the file has no {dotted(path)}")
    return node


def _forms(before: str, node: Node, value: Any) -> Iterator[str]:
    """Ways to write a value in the place of a node, the best first."""
    written = _written(value)
    if isinstance(value, str) and node.kind == "scalar":
        if node.style == "'" and value.isprintable():
            yield f"'{value.replace(chr(39), 2 * chr(39))}'"
        if node.style == '"':
            yield json.dumps(value, ensure_ascii=not value.isprintable())
    if before == "":
        yield f" {written}"  # Behind the colon of a key without a value.
        yield f": {written}"  # Of a key without a colon: {key}.
    else:
        yield written
        yield f" {written}"  # A list without indentation becomes an indented value.
        ending = before[len(before.rstrip("\r\n")) :]
        yield written + (ending or "\n")


def _places(
    text: str, node: Node, key: str, order: Sequence[str]
) -> Iterator[tuple[int, str, str]]:
    """Places for a new key, as (index, text before the entry, text behind it), the best first."""
    if node.style == "{":
        if node.items:
            yield max(node.items[-1].end, node.keys[-1].end), ", ", ""
        else:
            yield text.index("{", node.start) + 1, "", ""
        return
    first = node.keys[0].start
    column = len(text[_line_start(text, first) : first].lstrip("\ufeff"))
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    before = set(order[: order.index(key)]) if key in order else set()
    earlier = [i for i, known in enumerate(node.keys) if known.text in before]
    if key in order and not earlier:
        at = _line_start(text, first)
        at += text[at] == "\ufeff"
        if not text[at:first].strip(" "):
            at = _above_comments(text, at, column)
            yield at, " " * column, end_of_line
    for index in [*earlier[-1:], len(node.items) - 1]:
        at = _next_line(text, max(node.items[index].end, node.keys[index].end))
        lead = "" if at == 0 or text[at - 1] in "\r\n" else end_of_line
        behind = "" if lead else end_of_line
        yield at, lead + " " * column, behind


def _line_start(text: str, index: int) -> int:
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def _above_comments(text: str, index: int, column: int) -> int:
    """Where the comments begin that stand above a line, which they are about.

    Those at the top of a file are about the whole.
    """
    while column and index:
        before = _line_start(text, index - 1 - text.startswith("\r\n", index - 2))
        if not text[before:index].startswith(f"{' ' * column}#"):
            break
        index = before
    return index


def _next_line(text: str, index: int) -> int:
    """Where the line behind that of a value begins; a block scalar ends at a line's begin."""
    if index and text[index - 1] == "\n":
        return index
    at = text.find("\n", index)
    return len(text) if at < 0 else at + 1


def _verified(
    text: str,
    edits: Iterator[str],
    expected: Any,
    node: Node,
    before: str | None,
    path: KeyPath,
) -> Edit:
    """The first of several edits that says what is expected."""
    problems = len(read_text(text).problems)
    for edited in edits:
        try:
            document = read_text(edited)
        except RecipeError:
            continue
        if len(document.problems) == problems and same(document.data, expected):
            line = document.lines.get(path, text.count("\n", 0, node.start) + 1)
            return Edit(edited, line, before)
    line = text.count("\n", 0, node.start) + 1
    raise CannotEdit(
        f"{dotted(path)} cannot be written into line {line} without a change elsewhere; an anchor "
        "(&name) may stand there"
    )


def same(one: Any, other: Any) -> bool:
    """Whether data are equal, types included: 1 is neither 1.0 nor true. Keys have no order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or repr(one) == repr(other)  # NaN is not equal to itself.


def _put(data: Any, path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _written(value: Any) -> str:
    """A value in one line, for a place between braces or outside."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return repr(value)
    return flow([_with_plain_none(value)])[1:-1]


def _with_plain_none(value: Any) -> Any:
    """Data in which None stands for the word `none`, which recipes write without quotes."""
    if isinstance(value, dict):
        return {key: _with_plain_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_plain_none(item) for item in value]
    return None if value == "none" else value
