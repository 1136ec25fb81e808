"""The layers of a network on a page: a picture, and a table with their costs. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.plan import Plan
from zoo.report.blocks import Block, Cell, Column, Facts, Table
from zoo.report.layer_picture import Drawing, drawing
from zoo.report.layer_words import shape
from zoo.text.counted import amount

MANY_LAYERS = 25
MOST_BOXES = 200  # Of a picture. Nobody reads a longer one, and a box takes about 400 bytes.
MOST_ROWS = 1000  # Of the table; a row takes 650 bytes.


@dataclass(frozen=True)
class Layers(Block):
    """A picture of layers.

    Attributes:
        drawn: the picture.
        name: of the network.
    """

    drawn: Drawing
    name: str


@dataclass(frozen=True)
class Beside(Block):
    """A block as wide as it needs, and blocks that take the rest of the width beside it."""

    first: Block
    blocks: Sequence[Block]


def layer_blocks(planned: Plan, batch_size: int, name: str) -> list[Block]:
    """Return the costs of a network, its picture and the table of its layers.

    A picture of too many boxes is left out; the table has all layers.

    Args:
        planned: the layers.
        batch_size: of the recipe.
        name: of the recipe.
    """
    facts = Facts(
        [
            ("layers", f"{len(planned.layers):,}"),
            ("parameters", f"{planned.parameters:,} ({planned.trainable:,} trained)"),
            ("FLOPs of an image", amount(planned.flops)),
            (
                f"activations of a batch of {batch_size}",
                amount(planned.activation_bytes * batch_size, "B"),
            ),
        ]
    )
    drawn = drawing(planned)
    if drawn.boxes > MOST_BOXES:
        return [facts, _table(planned)]
    return [facts, Beside(Layers(drawn, name), [_table(planned)])]


def _table(planned: Plan) -> Table:
    size = planned.bytes_per_value
    most = {
        "parameters": max((layer.parameters for layer in planned.layers), default=0) or 1,
        "flops": max((layer.flops for layer in planned.layers), default=0) or 1,
        "values": max((layer.values for layer in planned.layers), default=0) or 1,
    }
    rows = []
    for layer in planned.layers[:MOST_ROWS]:
        memory = (layer.values + layer.kept_values) * size
        rows.append(
            [
                layer.name,
                layer.kind,
                shape(layer.output_shape),
                Cell(
                    f"{layer.parameters:,}", layer.parameters, layer.parameters / most["parameters"]
                ),
                Cell(amount(layer.flops), layer.flops, layer.flops / most["flops"])
                if layer.flops_known
                else Cell("unknown"),
                Cell(amount(memory, "B"), memory, layer.values / most["values"]),
            ]
        )
    more = len(planned.layers) - MOST_ROWS
    left_out = f"; {more:,} more are left out, `zoo show` lists all" if more > 0 else ""
    return Table(
        f"Layers, from the image to the scores; bars compare the layers{left_out}",
        [
            "layer",
            "kind",
            "output",
            Column("parameters", numeric=True),
            Column("FLOPs", numeric=True, help="of an image, forward; a multiply-add counts as 2"),
            Column("activations", numeric=True, help="memory of the layer's output for an image"),
        ],
        rows,
        rows_shown=MANY_LAYERS,
    )
