"""A YAML text as a tree of nodes that know where they stand, to edit one value in its place. Light.

`zoo.recipe.yaml_reader` reads data and lines. Here every value has its first and last character,
and an alias (*name) stays one: PyYAML's composer would put the node in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass
class Node:
    """A value of the text.

    Attributes:
        kind: scalar, map, list or alias.
        start: index of its first character, behind an anchor (&name).
        end: index behind its last character; of a map or list in block style, of its last value.
        text: of a scalar, without quotes; of an alias, its name.
        style: of a scalar: a quote, `|`, `>` or empty; of a map or list, `{` in flow style.
        anchor: its name, or None.
        keys: of a map: the keys, each beside its value in `items`.
        items: values of a map or list.
    """

    kind: str
    start: int
    end: int
    text: str = ""
    style: str = ""
    anchor: str | None = None
    keys: list[Node] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    def of(self, part: str | int) -> Node | None:
        """The value of a key or an index; None if there is none."""
        if self.kind == "map":
            return next(
                (value for key, value in zip(self.keys, self.items, strict=True)
                 if key.text == part),
                None,
            )  # fmt: skip
        if self.kind == "list" and isinstance(part, int) and part < len(self.items):
            return self.items[part]
        return None


def parse(text: str) -> Node | None:
    """The root of a text that was read as a recipe before; None if it is empty.

    Tabs behind a value are YAML. PyYAML takes none, unlike libyaml, which reads recipes: spaces in
    their place leave every index as it is.

    Raises:
        yaml.YAMLError: PyYAML reads less than libyaml in other ways, too.
    """
    try:
        return _root(text)
    except yaml.YAMLError:
        return _root(text.replace("\t", " "))


def _root(text: str) -> Node | None:
    events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            return _node(event, events, text)
    return None


def _node(event: Any, events: Iterator[Any], text: str) -> Node:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.AliasEvent):
        return Node("alias", start, end, text=event.anchor or "")
    start = _behind_anchor(text, start, event.anchor)
    if isinstance(event, yaml.ScalarEvent):
        return Node(
            "scalar", min(start, end), end, event.value, event.style or "", anchor=event.anchor
        )
    is_map = isinstance(event, yaml.MappingStartEvent)
    style = "{" if event.flow_style else ""
    node = Node("map" if is_map else "list", start, end, style=style, anchor=event.anchor)
    for inner in events:
        if isinstance(inner, yaml.CollectionEndEvent):
            end_mark: Any = inner.end_mark
            node.end = end_mark.index if style else _last(node)
            return node
        if is_map:
            node.keys.append(_node(inner, events, text))
            inner = next(events)
        node.items.append(_node(inner, events, text))
    return node


def _behind_anchor(text: str, start: int, anchor: str | None) -> int:
    """Where a value begins whose anchor stands at `start`."""
    if anchor is None or not text.startswith(f"&{anchor}", start):
        return start
    start += 1 + len(anchor)
    while start < len(text) and text[start] in " \t":
        start += 1
    return start


def _last(node: Node) -> int:
    """The end of a block collection: PyYAML puts it at the next token, behind comments."""
    last = node.items[-1]
    return max(last.end, node.keys[-1].end if node.keys else 0)
