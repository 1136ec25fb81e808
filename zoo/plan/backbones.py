"""What is known of the networks of `keras.applications`: layers, sizes, operations. Light.

The numbers stand in `backbones.json`, since a plan is made without Keras. `docs/make_backbones.py`
takes them from Keras's own networks, and tests/plan/test_backbones.py builds some to compare.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from math import prod
from typing import Any

PREFIX = "backbone"
FILE = "backbones.json"


@dataclass(frozen=True)
class BackboneLayer:
    """One layer of a backbone.

    Attributes:
        name: as Keras names it in a fresh process.
        trained: names of its trained variables.
        trainable: number of its trained weights.
        fixed: number of its other weights: batch norm's moving statistics.
    """

    name: str
    trained: tuple[str, ...]
    trainable: int
    fixed: int

    @property
    def is_batch_norm(self) -> bool:
        """Whether it has moving statistics; no other layer has weights that are not trained."""
        return self.fixed > 0


@dataclass(frozen=True)
class BackboneSize:
    """What a backbone comes to for images of one size.

    Attributes:
        shape: of its output: (height, width, channels).
        flops: operations of inference for one image.
        values: values of all its layers' outputs for one image.
    """

    shape: tuple[int, int, int]
    flops: int
    values: int


@dataclass(frozen=True)
class Backbone:
    """A network of `keras.applications` without its head.

    Its convolutions come to few different heights, each of which follows from another: a *level* is
    (level before, window, stride), with the first level the image. Padding counts against the
    window: (level, 1, 2) is a stride of 2 with padding: same, ceil(n / 2).

    Attributes:
        name: key of `words.BACKBONES`.
        smallest: fewest pixels of a side.
        channels: of its output.
        output: level of its output.
        levels: see above.
        flops: operations for each position of each level; the last number counts once an image.
        values: values for each position of each level; likewise.
        layers: in Keras's order.
    """

    name: str
    smallest: int
    channels: int
    output: int
    levels: tuple[tuple[int, int, int], ...]
    flops: tuple[int, ...]
    values: tuple[int, ...]
    layers: tuple[BackboneLayer, ...]

    def size(self, image: tuple[int, int]) -> BackboneSize:
        """The size of the network for images of a height and width."""
        sizes: list[tuple[int, int]] = [image]
        for before, window, stride in self.levels:
            height, width = ((side - window) // stride + 1 for side in sizes[before])
            sizes.append((height, width))
        positions = [*map(prod, sizes), 1]
        return BackboneSize(
            (*sizes[self.output], self.channels),
            sum(a * b for a, b in zip(self.flops, positions, strict=True)),
            sum(a * b for a, b in zip(self.values, positions, strict=True)),
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the layers in Keras's order."""
        return tuple(layer.name for layer in self.layers)

    def keras_name(self, index: int) -> str:
        """Name of a layer in our networks: with a prefix, and the prefix alone for the last."""
        last = index == len(self.layers) - 1
        return PREFIX if last else f"{PREFIX}_{self.layers[index].name}"


@cache
def _table() -> dict[str, Any]:
    text = resources.files("zoo.plan").joinpath(FILE).read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


@cache
def backbone(name: str) -> Backbone:
    """What is known of a backbone.

    Args:
        name: key of `words.BACKBONES`.
    """
    entry = _table()[name]
    return Backbone(
        name,
        entry["smallest"],
        entry["channels"],
        entry["output"],
        tuple((before, window, stride) for before, window, stride in entry["levels"]),
        tuple(entry["flops"]),
        tuple(entry["values"]),
        tuple(_layer(text) for text in entry["layers"].split()),
    )


def _layer(text: str) -> BackboneLayer:
    """A layer from `NAME` or `NAME:VARIABLES:TRAINABLE:FIXED`, variables joined by commas."""
    name, *weights = text.split(":")
    if not weights:
        return BackboneLayer(name, (), 0, 0)
    variables, trainable, fixed = weights
    return BackboneLayer(
        name, tuple(filter(None, variables.split(","))), int(trainable), int(fixed)
    )
