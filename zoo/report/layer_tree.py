"""The layers of a plan as a tree, for pictures: boxes, branches that join, and repeats. Light.

A plan is a list in which each layer names those that it follows. People read it as stages one
behind the other, of which some hold branches; a stage that repeats is one stage with a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.plan import Layer
from zoo.plan.options import StochasticDepthOptions

LONGEST_PERIOD = 4  # Items that repeat together, such as a depthwise and a pointwise convolution.
MIN_SAVED = 2  # Boxes that a repeat must spare: two equal ones are drawn as they are.


@dataclass(frozen=True)
class Box:
    """Layers of one stage, one behind the other, such as a convolution, its norm and activation."""

    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Join:
    """Branches from one place to a layer that adds, multiplies or concatenates them.

    Attributes:
        branches: each a row of items; an empty one passes its input on.
        layers: the layer where they join, and those of its stage behind it, such as an activation.
    """

    branches: tuple[tuple[Item, ...], ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Repeat:
    """Items that come several times in a row.

    Attributes:
        items: the last time, whose output goes on.
        times: how often.
    """

    items: tuple[Item, ...]
    times: int


Item = Box | Join | Repeat


def tree(layers: Sequence[Layer]) -> tuple[Item, ...]:
    """The items of a network, from the image to the logits.

    Args:
        layers: of a whole plan.
    """
    return _Tree(layers).row(layers[-1].name, None)


def folded(row: Sequence[Item]) -> tuple[Item, ...]:
    """A row of items, with what repeats said once, also in its branches."""
    items = [_inside(item) for item in row]
    found: list[Item] = []
    while items:
        period, times = _repeat(items)
        if times > 1:
            found.append(Repeat(tuple(items[(times - 1) * period : times * period]), times))
        else:
            found.append(items[0])
        del items[: max(1, period * times)]
    return tuple(found)


def boxes(item: Item) -> int:
    """The number of boxes of an item, each counted once."""
    if isinstance(item, Box):
        return 1
    rows = item.branches if isinstance(item, Join) else (item.items,)
    return sum(boxes(inner) for row in rows for inner in row)


def output_shape(item: Item) -> tuple[int, ...]:
    """The shape that an item puts out, without the batch."""
    return (
        output_shape(item.items[-1]) if isinstance(item, Repeat) else item.layers[-1].output_shape
    )


class _Tree:
    """Walks back from the logits."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = {layer.name: layer for layer in layers}
        self.order = {layer.name: place for place, layer in enumerate(layers)}
        # The layer that every way to a layer leads through last: where its branches begin.
        self.before: dict[str, str | None] = {}
        for layer in layers:
            self.before[layer.name] = self._meeting(layer.inputs)

    def _meeting(self, names: Sequence[str]) -> str | None:
        places = set(names)
        while len(places) > 1:
            last = max(places, key=self.order.__getitem__)
            places.remove(last)
            before = self.before[last]
            if before is None:
                return None
            places.add(before)
        return next(iter(places), None)

    def row(self, last: str | None, start: str | None) -> tuple[Item, ...]:
        """The items behind the layer `start`, up to the layer `last`."""
        backwards: list[Layer | Join] = []
        while last is not None and last != start:
            layer, before = self.layers[last], self.before[last]
            if len(layer.inputs) > 1:
                branches = tuple(self.row(name, before) for name in layer.inputs)
                backwards.append(Join(branches, (layer,)))
            elif not self._passes(layer):
                backwards.append(layer)
            last = before
        return self._items(backwards)

    def _passes(self, layer: Layer) -> bool:
        """Whether a shortcut changes nothing."""
        before = [self.layers[name].output_shape for name in layer.inputs]
        return layer.kind == "shortcut" and before == [layer.output_shape]

    @staticmethod
    def _items(backwards: Sequence[Layer | Join]) -> tuple[Item, ...]:
        items: list[Item] = []
        for part in reversed(backwards):
            if isinstance(part, Join):
                items.append(part)
            elif items and _belongs(part, items[-1]):
                items[-1] = _with(items[-1], part)
            else:
                items.append(Box((part,)))
        return tuple(items)


def _belongs(layer: Layer, item: Item) -> bool:
    """Whether a layer is of the stage before it, and of the same kernel there."""
    if isinstance(item, Repeat) or layer.path != item.layers[-1].path:
        return False
    owners = {_owner(other) for other in (*item.layers, layer)} - {None}
    return isinstance(item, Join) or len(owners) <= 1


def _owner(layer: Layer) -> str | None:
    """The layer that a layer is named after: conv2 of conv2_bn, se1 of se1_pool; or itself."""
    if layer.has_kernel and layer.kind != "gate_conv":
        return layer.name
    base, underscore, _ = layer.name.rpartition("_")
    return base if underscore and not layer.name.startswith(layer.kind) else None


def _with(item: Item, layer: Layer) -> Item:
    if isinstance(item, Repeat):
        raise TypeError("a repeat holds no layers of its own")
    layers = (*item.layers, layer)
    return Box(layers) if isinstance(item, Box) else Join(item.branches, layers)


def _inside(item: Item) -> Item:
    if isinstance(item, Join):
        return Join(tuple(folded(branch) for branch in item.branches), item.layers)
    return item


def _repeat(items: Sequence[Item]) -> tuple[int, int]:
    """(period, times) of the repeat at the begin of items that spares most boxes; (1, 1): none."""
    best, saved = (1, 1), MIN_SAVED - 1
    for period in range(1, LONGEST_PERIOD + 1):
        first = [_signature(item) for item in items[:period]]
        times = 1
        while first == [_signature(item) for item in items[times * period : (times + 1) * period]]:
            times += 1
        spared = (times - 1) * sum(map(boxes, items[:period]))
        if spared > saved:
            best, saved = (period, times), spared
    return best


def _signature(item: Item) -> Any:
    """What two items must have in common to be one that repeats: all but channels that grow."""
    if isinstance(item, Repeat):
        return (item.times, [_signature(inner) for inner in item.items])
    own = [(layer.kind, layer.output_shape[:-1], _options(layer)) for layer in item.layers]
    if isinstance(item, Box):
        return own
    return ([[_signature(inner) for inner in branch] for branch in item.branches], own)


def _options(layer: Layer) -> Any:
    """The options that tell layers apart; rates of stochastic depth grow with the blocks."""
    return None if isinstance(layer.options, StochasticDepthOptions) else layer.options
