"""A recipe's data with its blocks written out, and where each value was written. Light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zoo.recipe.blocks.nodes import Fault, Origin
from zoo.recipe.schema_types import model_at
from zoo.recipe.yaml_reader import KeyPath


@dataclass
class Expansion:
    """A recipe's data with the uses of its blocks written out.

    Attributes:
        data: with every use replaced by the stages that it stands for.
        origins: path in `data` -> where that value was written; for paths that are not the same.
        broken: paths in `data` whose values could not be made; `faults` say why.
        faults: what is wrong with blocks and their uses.
        cautions: what is likely to be a mistake, as (path, sentence).
    """

    data: Any
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    broken: set[KeyPath] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    cautions: list[tuple[KeyPath, str]] = field(default_factory=list)

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at a path of `data` was written.

        Args:
            path: as the schema has it.
        """
        if not self.origins:
            return Origin(path)
        held = self._held(path)
        for end in range(len(held), 0, -1):
            known = self.origins.get(held[:end])
            if known is not None:
                return known.extended(held[end:])
        return Origin(path)

    def origin_of_problem(self, path: KeyPath) -> Origin:
        """Where a problem at a path of `data` was written: of the key itself if nobody knows it.

        A parameter is a value; the key in front of it was written in the block.
        """
        model = model_at(path[:-1]) if path else None
        if model is not None and path[-1] not in model.model_fields:
            return self.origin(path[:-1]).extended(path[-1:])
        return self.origin(path)

    def is_broken(self, path: KeyPath) -> bool:
        """Whether the value at a path could not be made."""
        held = self._held(path) if self.broken else ()
        return any(held[:end] in self.broken for end in range(len(held) + 1))

    def _held(self, path: KeyPath) -> KeyPath:
        """The path without keys that the data leave out: `conv: 8` stands for `conv.filters`."""
        node, held = self.data, []
        for part in path:
            if isinstance(node, dict):
                node = node.get(part)
            elif isinstance(node, list) and isinstance(part, int) and part < len(node):
                node = node[part]
            elif node is not None:
                continue
            held.append(part)
        return tuple(held)
