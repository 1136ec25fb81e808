"""Reads YAML 1.2 strictly: `1e-3` is a number, `no` is a word, and every value has a line.

PyYAML parses; the scalars get their types here, by the YAML 1.2 core schema (yaml.org/spec/1.2.2,
10.3). Errors, with file and line, are files over 1 MiB, duplicate keys, merge keys, tags, aliases
that point into themselves, and documents of more than `MAX_NODES` nodes with all aliases expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import Problem, RecipeError
from zoo.recipe.shown import cut
from zoo.recipe.yaml_errors import encoding_error, require_allowed_characters, syntax_error

# A run's recipe has every default written out, forty values for a stage of one: what a recipe of a
# page comes to, `draft.checked` holds to the same limits.
MAX_BYTES = 16 << 20
MAX_NODES = 100_000
MAX_REREAD = 1 << 16
MAX_DEPTH = 50
MAX_DIGITS = 400

KeyPath = tuple[str | int, ...]
# (position, whether on a scalar) -> tag. A block map has the same position as its first key.
Tags = dict[tuple[int, bool], str]

_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAG_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """The data of a YAML text, with the line of each value.

    Attributes:
        data: maps, lists and scalars.
        lines: path of keys and indices -> line of that key or list item, from 1.
        problems: what is not allowed but did not stop the reading.
        file: name of the file, or None.
        files: path -> file of its line, where that is another file: of a recipe that is extended.
    """

    data: Any
    lines: dict[KeyPath, int]
    problems: tuple[Problem, ...]
    file: str | None
    files: Mapping[KeyPath, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.file or "RECIPE"

    def place(self, path: KeyPath) -> tuple[str | None, int | None]:
        """File and line of a path, or of its longest start that has one; no line where none has."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.files.get(path[:end], self.file), self.lines[path[:end]]
        return self.file, None

    def line(self, path: KeyPath) -> int | None:
        """The line of a path, as `place` finds it."""
        return self.place(path)[1]

    def file_of(self, path: KeyPath) -> str | None:
        """The file that a value comes from: its relative paths are meant from there."""
        return self.place(path)[0]


def dotted(path: KeyPath) -> str:
    """A path as text: `model.stack[0].conv.filters`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def read_file(path: Path) -> Document:
    """Reads a YAML file.

    Raises:
        RecipeError: the file cannot be read, or is not the YAML described above.
    """

    def fail(message: str) -> RecipeError:
        return RecipeError([Problem(message=message, file=str(path))])

    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise fail(
                f"file too large. Expected at most {MAX_BYTES:,} bytes. Received {size:,}; "
                "a recipe is a page of text: is this the right file?"
            )
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise fail(encoding_error(content, error.start)) from None
    return read_text(text, str(path))


def read_text(text: str, file: str | None = None) -> Document:
    """Reads one YAML document from a string.

    Args:
        text: the document.
        file: its name, for problems.

    Returns:
        The data. Duplicate keys, tags and the like are in its `problems`, to be shown together with
        whatever else is wrong.

    Raises:
        RecipeError: the text cannot be parsed, or its aliases make it too large.
    """
    if len(text) > MAX_BYTES:
        raise RecipeError([Problem(message=f"text over {MAX_BYTES:,} characters", file=file)])
    require_allowed_characters(text, file)
    tags, node = _parsed(text, file)
    walk = _Walk(file, tags)
    data = walk.value(node, (), ()) if node is not None else None
    return Document(data=data, lines=walk.lines, problems=tuple(walk.problems), file=file)


def _parsed(text: str, file: str | None) -> tuple[Tags, yaml.Node | None]:
    """The tags and the root node of a text.

    libyaml, where PyYAML has it, is ten times faster. What it refuses is read again by PyYAML: its
    errors say more, and it reads JSON's pairs of escapes, which libyaml does not. A long text, of
    which that would take seconds, is left to libyaml.

    Raises:
        RecipeError: the text cannot be parsed.
    """
    fast: Any = getattr(yaml, "CSafeLoader", None)
    fault: Exception | None = None
    if fast is not None:
        try:
            return _scan(text, file, fast), yaml.compose(text, Loader=fast)
        except yaml.YAMLError as error:
            fault = error
    if fault is None or len(text) <= MAX_REREAD:
        try:
            return _scan(text, file, yaml.SafeLoader), yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            fault = error
        except (ValueError, OverflowError) as error:  # "\U00110000" is no character.
            fault = fault or error
    raise syntax_error(fault, text, file) from None


def _scan(text: str, file: str | None, loader: Any) -> Tags:
    """The tags that the user wrote: composed nodes have tags everywhere.

    Raises:
        RecipeError: too deep nesting or too many values, found here in a flat stream of events;
            composing recurses.
    """
    depth = count = 0
    tags: Tags = {}
    for event in yaml.parse(text, Loader=loader):
        mark: Any = event.start_mark
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = mark.line + 1
            message = f"nested too deeply. Expected at most {MAX_DEPTH} levels."
            raise RecipeError([Problem(message=message, file=file, line=line)])
        count += isinstance(event, yaml.NodeEvent)
        if count > 2 * MAX_NODES:  # Keys count as well.
            message = (
                f"holds more than {MAX_NODES:,} values; a recipe is a page of text: is this the "
                "right file?"
            )
            raise RecipeError([Problem(message=message, file=file)])
        tag = getattr(event, "tag", None)
        if tag is not None:
            tags[mark.index, isinstance(event, yaml.ScalarEvent)] = tag
    return tags


class _Walk:
    """Turns composed nodes into plain data, and notes lines and problems."""

    def __init__(self, file: str | None, tags: Tags) -> None:
        self.file = file
        self.tags = tags
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self.nodes = 0

    def problem(
        self, message: str, node: yaml.Node, path: KeyPath, line: int | None = None
    ) -> None:
        line = line or node.start_mark.line + 1
        self.problems.append(
            Problem(message=message, file=self.file, line=line, path=dotted(path) or None)
        )

    def value(self, node: yaml.Node, path: KeyPath, open_nodes: tuple[int, ...]) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            message = f"holds more than {MAX_NODES:,} values, with all aliases (*name) written out"
            # A node has the line where it was first written; its key has the line of the alias.
            line = self.lines.get(path[:1])
            raise RecipeError([Problem(message=message, file=self.file, line=line)])
        if id(node) in open_nodes:
            message = "an alias (*name) points into itself; write the values out"
            self.problem(message, node, path, self.lines[path])
            return None
        self.check_tag(node, path)
        inside = (*open_nodes, id(node))
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(item, (*path, index), inside) for index, item in enumerate(node.value)
            ]
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        return self.mapping(node, path, inside)

    def mapping(self, node: yaml.Node, path: KeyPath, inside: tuple[int, ...]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem("a key must be a word. Received a list or a map.", key_node, path)
                continue
            key = self.text(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            self.check_tag(key_node, here)
            if key == "<<":
                self.problem(
                    "merge keys (<<) are not YAML 1.2; use model.defaults or write the keys out",
                    key_node,
                    here,
                )
                continue
            if key in data:
                first = self.lines[here]
                self.problem(
                    f"duplicate key, first given in line {first}; keep one of them", key_node, here
                )
                continue
            self.lines[here] = key_node.start_mark.line + 1
            data[key] = self.value(value_node, here, inside)
        return data

    def check_tag(self, node: yaml.Node, path: KeyPath) -> None:
        tag = self.tags.get((node.start_mark.index, isinstance(node, yaml.ScalarNode)))
        if tag is None:
            return
        known = tag.removeprefix(_TAG_PREFIX)
        shown = f"!!{known}" if tag.startswith(_TAG_PREFIX) else tag
        self.problem(
            f"tag {cut(shown)} is not allowed; a recipe holds plain values only", node, path
        )

    def text(self, node: yaml.ScalarNode, path: KeyPath) -> str | None:
        r"""A scalar's text; None, and a problem, where it is not valid text.

        JSON writes characters past U+FFFF as two escapes, "\ud83d\ude00"; one alone is invalid.
        """
        text: str = node.value
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            try:
                text = text.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                self.problem("holds half of a UTF-16 pair; write the character itself", node, path)
                return None
        if "\0" in text:
            self.problem("holds U+0000, which no text or file name has", node, path)
            return None
        return text

    def scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text = self.text(node, path)
        if text is None or node.style in ("'", '"', "|", ">"):
            return text
        return plain(text)


def plain(text: str) -> Any:
    """The value of an unquoted scalar by the YAML 1.2 core schema."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.fullmatch(text):
        return int(text) if len(text) < MAX_DIGITS else text
    if _BASED.fullmatch(text):
        return int(text, 0) if len(text) < MAX_DIGITS else text
    if _FLOAT.fullmatch(text) or _SPECIAL.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
