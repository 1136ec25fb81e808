"""Dotted paths of --set, and the words that may stand behind their `=`. Light.

The schema is read from the file that ships for editors: JSON takes milliseconds, and importing the
models that it is made from a quarter of a second. The recipe says how long lists are, which blocks
it has, and which word it gives: another one is set as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.completion.candidate import Candidate
from zoo.editor.modeline import SCHEMA
from zoo.files.regular import open_regular
from zoo.shipped_files import shipped

MOST_READ = 1 << 20  # Bytes of a recipe.
_STEPS = re.compile(r"[^.\[\]]+|\[\d*\]?")
_LAST = re.compile(r"(.*?)((?:\[\d*)|[^.\[\]]*)$", re.DOTALL)


class Settings:
    """What may be set in a recipe.

    Args:
        recipe: the recipe's name or file; None if the line has none yet.
    """

    def __init__(self, recipe: str | None) -> None:
        self.recipe = recipe

    def complete(self, typed: str) -> Iterator[Candidate]:
        """What may stand at the end of `PATH=VALUE`."""
        path, equals, value = typed.partition("=")
        if equals:
            node = self._at(_steps(path))
            for word, text in self._words(node):
                if word.startswith(value):
                    yield Candidate(f"{path}={word}", text)
            return
        match = _LAST.match(typed)
        before, last = (match[1], match[2]) if match else ("", typed)
        if last.startswith("["):
            yield from self._items(before, last)
        else:
            yield from self._keys(before, last)

    def _items(self, before: str, last: str) -> Iterator[Candidate]:
        given = self._given(_steps(before))
        for index, item in enumerate(given if isinstance(given, list) else ()):
            text = f"[{index}]"
            if text.startswith(last):
                word = item if isinstance(item, str) else next(iter(item), "")
                yield Candidate(f"{before}{text}.", str(word))

    def _keys(self, before: str, last: str) -> Iterator[Candidate]:
        steps = _steps(before)
        node, given = self._at(steps), self._given(steps)
        if self._is_beyond(steps):
            return
        entries = self._entries(node)
        free = self._free(node)
        if self._is_choice(node):
            word = given if isinstance(given, str) else next(iter(given or ()), None)
            entries = {word: entries[word]} if word in entries else entries
        elif free is not None and isinstance(given, dict):  # Such as the names of blocks.
            entries = {**{name: free for name in given}, **entries}
        for name, entry in entries.items():
            if name.startswith(last):
                yield from self._ends(f"{before}{name}", entry, (*steps, name))

    def _ends(self, path: str, node: Any, steps: tuple[str | int, ...]) -> Iterator[Candidate]:
        """A key, with what may stand behind it: a value, a key inside or an item."""
        text = _help(node)
        inside = self._entries(node) or (self._free(node) is not None and self._given(steps))
        is_list = isinstance(self._given(steps), list)
        if inside:
            yield Candidate(f"{path}.", text)
        if is_list:
            yield Candidate(f"{path}[", text)
        if not inside or self._is_choice(node) or any(self._words(node)) or self._is_short(node):
            yield Candidate(f"{path}=", text)

    def _is_beyond(self, steps: tuple[str | int, ...]) -> bool:
        """Whether a path leads to an item that a list of the recipe does not have."""
        for end, step in enumerate(steps):
            if isinstance(step, int):
                items = self._given(steps[:end])
                if isinstance(items, list) and step >= len(items):
                    return True
        return False

    def _at(self, steps: tuple[str | int, ...]) -> Any:
        """The schema of a path; an empty one where there is none."""
        node: Any = self._schema
        for step in steps:
            if isinstance(step, int):
                node = next((part["items"] for part in self._parts(node) if "items" in part), {})
            else:
                node = self._entries(node).get(step) or self._free(node) or {}
        return node

    def _parts(self, node: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
        """A schema and its alternatives, references followed."""
        if not isinstance(node, dict) or depth > 8:
            return
        if "$ref" in node:
            name = str(node["$ref"]).rpartition("/")[2]
            yield from self._parts(self._schema.get("$defs", {}).get(name), depth + 1)
        yield node
        for part in node.get("anyOf", ()):
            yield from self._parts(part, depth + 1)

    def _entries(self, node: Any) -> dict[str, Any]:
        """The keys of a map, or the words of a choice that have options, with their schemas."""
        if node is self._schema:
            return dict(node.get("properties", {}))
        entries: dict[str, Any] = {}
        for part in self._parts(node):
            entries |= part.get("properties", {})
        return entries

    def _free(self, node: Any) -> Any:
        """The schema of keys that are names; None where there are none."""
        for part in self._parts(node):
            free = part.get("additionalProperties")
            if isinstance(free, dict) and not part.get("properties"):
                return free
        return None

    def _is_choice(self, node: Any) -> bool:
        return any(part.get("maxProperties") == 1 for part in self._parts(node))

    def _is_short(self, node: Any) -> bool:
        """Whether the first option of a word may stand alone: `conv: 8`."""
        return any(part.get("not") == {"type": "object"} for part in node.get("anyOf", ()))

    def _words(self, node: Any) -> Iterator[tuple[str, str]]:
        """Words that may be the value of a key, and what they mean."""
        seen = set()
        for part in self._parts(node):
            words = [word for word in part.get("enum", ()) if isinstance(word, str)]
            texts = part.get("enumDescriptions", [""] * len(words))
            pairs = [*zip(words, texts, strict=False)]
            if part.get("type") == "boolean":
                pairs += [("true", ""), ("false", "")]
            for word, text in pairs:
                if word not in seen:
                    seen.add(word)
                    yield word, text

    @cached_property
    def _schema(self) -> dict[str, Any]:
        for file in shipped().values():
            try:
                schema = json.loads((file.parent / SCHEMA).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                break
            return schema if isinstance(schema, dict) else {}
        return {}

    def _given(self, steps: tuple[str | int, ...]) -> Any:
        """What the recipe, or the one that it extends, gives at a path; None: nothing."""
        for document in self._documents:
            node: Any = document
            for step in steps:
                if isinstance(node, dict) and isinstance(step, str):
                    node = node.get(step)
                elif isinstance(node, list) and isinstance(step, int) and step < len(node):
                    node = node[step]
                else:
                    node = None
            if node is not None:
                return node
        return None

    @cached_property
    def _documents(self) -> list[Any]:
        """The recipe's data and its base's, as they stand in their files."""
        documents: list[Any] = []
        name, folder = self.recipe, Path()
        while name and len(documents) < 2:
            file = folder / Path(name).expanduser()
            file = file if file.is_file() else shipped().get(name, file)
            document = _read(file)
            documents.append(document)
            folder = file.parent
            name = document.get("extends") if isinstance(document, dict) else None
            name = name if isinstance(name, str) else None
        return documents


def _read(file: Path) -> Any:
    """A YAML file's data, text for numbers too; None where it cannot be read."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        with open_regular(file) as stream:
            content = stream.read(MOST_READ + 1)
        if len(content) > MOST_READ:
            return None
        return yaml.load(content.decode("utf-8-sig"), Loader=loader)  # noqa: S506
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


def _steps(path: str) -> tuple[str | int, ...]:
    """`a.b[0].` as ("a", "b", 0)."""
    found = _STEPS.findall(path)
    return tuple(int(step.strip("[]") or 0) if step.startswith("[") else step for step in found)


def _help(node: Any) -> str:
    """The first sentence of a description."""
    text = node.get("description", "") if isinstance(node, dict) else ""
    return text.partition(". ")[0]
