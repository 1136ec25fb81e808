"""Values of a recipe that know where they were written. Light."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from zoo.recipe.yaml_reader import MAX_DEPTH, MAX_NODES, KeyPath

# Resolving adds levels: `activation: relu` may become a map of maps.
MAX_LEVELS = MAX_DEPTH - 6


class TooLarge(Exception):
    """The recipe would be too large, or too deep, with its blocks written out."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value of the expanded data stands in the recipe as given.

    Attributes:
        path: of the value.
        uses: paths of the uses of blocks that put the value here, the innermost first.
        place: path in a block at which the value stands for a parameter; None: it does not.
        text: that stands there, such as `$filters * 4`.
    """

    path: KeyPath
    uses: tuple[KeyPath, ...] = ()
    place: KeyPath | None = None
    text: str = ""

    def below(self, key: str | int) -> Origin:
        """The origin of an item of this value, written where the value was written."""
        return Origin((*self.path, key), self.uses)

    def extended(self, keys: KeyPath) -> Origin:
        """This origin, with its path continued."""
        return replace(self, path=(*self.path, *keys))

    def concerns(self, path: KeyPath) -> bool:
        """Whether the value, a use that put it here, or its place in a block lies at a path."""
        places = (self.path, *self.uses, *((self.place,) if self.place else ()))
        return any(place[: len(path)] == path for place in places)


@dataclass(frozen=True, slots=True)
class Node:
    """A value: a map or list of nodes, or a scalar.

    Attributes:
        value: the map, the list or the scalar.
        origin: where it was written.
        is_broken: whether it stands for something that could not be made, as a problem says.
    """

    value: Any
    origin: Origin
    is_broken: bool = False


@dataclass(frozen=True)
class Fault:
    """A problem of a block or of its use.

    Attributes:
        origin: where it is, in the recipe as given.
        message: what is wrong.
    """

    origin: Origin
    message: str


class Budget:
    """Counts values, so that blocks that use blocks do not grow without bound."""

    def __init__(self) -> None:
        self.remaining = MAX_NODES

    def spend(self, level: int, values: int = 1) -> None:
        """Counts values at a level of nesting.

        Raises:
            TooLarge: there are too many, or it lies too deep.
        """
        self.remaining -= values
        if self.remaining < 0 or level > MAX_LEVELS:
            raise TooLarge


def as_nodes(value: Any, origin: Origin) -> Node:
    """Plain data as nodes."""
    if isinstance(value, dict):
        return Node({key: as_nodes(item, origin.below(key)) for key, item in value.items()}, origin)
    if isinstance(value, list):
        return Node([as_nodes(item, origin.below(i)) for i, item in enumerate(value)], origin)
    return Node(value, origin)


@dataclass
class PlainData:
    """Nodes as plain data.

    Attributes:
        origins: path in the plain data -> origin, where that does not follow from the path above.
        broken: paths of values that could not be made.
    """

    origins: dict[KeyPath, Origin]
    broken: set[KeyPath]
    budget: Budget

    def data(self, node: Node, path: KeyPath, follows: Origin | None = None) -> Any:
        """The plain data of a node.

        Args:
            node: the node.
            path: at which it will stand.
            follows: its origin, as it follows from that of the value around it.

        Raises:
            TooLarge: it holds too many values.
        """
        self.budget.spend(len(path))
        if node.origin != follows:
            self.origins[path] = node.origin
        if node.is_broken:
            self.broken.add(path)
        if isinstance(node.value, dict):
            return {
                key: self.data(item, (*path, key), node.origin.below(key))
                for key, item in node.value.items()
            }
        if isinstance(node.value, list):
            return [
                self.data(item, (*path, index), node.origin.below(index))
                for index, item in enumerate(node.value)
            ]
        return node.value
