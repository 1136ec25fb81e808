"""Write zoo/plan/backbones.json from the networks of Keras: `python docs/make_backbones.py [NAME]`.

A plan of a recipe with a `backbone` is made without Keras (`zoo show` answers at once), so the
numbers of Keras's networks are kept in a file. They change with Keras alone. `--verify` builds each
network for a number of image sizes and compares the output's shape, the layers and their weights
with the file; it takes about ten minutes, and ends with 1 if anything differs.
"""

from __future__ import annotations

import json
import sys
from math import prod
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # The checkout's zoo, installed or not.

import keras  # noqa: E402

from zoo.model.backbone import application, layers  # noqa: E402
from zoo.plan import backbones  # noqa: E402
from zoo.recipe.words.backbones import BACKBONES  # noqa: E402

TABLE = ROOT / "zoo" / "plan" / backbones.FILE
# Keras pads even and odd sizes differently before strides of 2. These stay odd to the end, where
# the padding is that of the law: ceil(n / 2). NASNet begins with a stride without padding.
ODD, ODD_AFTER_VALID = 257, 259
SIZES = ((64, 64), (75, 75), (96, 101), (127, 90), (128, 160), (150, 149), (224, 224), (331, 299))
ONCE = -1  # Level of what does not depend on the image's size.


class Levels:
    """Follows sizes through a network: the level of each tensor, and what layers cost there."""

    def __init__(self) -> None:
        self.levels: list[tuple[int, int, int]] = []
        self.flops: dict[int, int] = {}
        self.values: dict[int, int] = {}
        self.of: dict[int, tuple[int, int]] = {}  # Level and padding that waits, by tensor.

    def follow(self, layer: Any) -> None:
        """Takes up one operation of a network, after those before it."""
        node = layer._inbound_nodes[0]
        inputs = [self.of[id(tensor)] for tensor in node.input_tensors]
        spatial = {place for place in inputs if place[0] != ONCE}
        if len(spatial) > 1:
            raise ValueError(f"{layer.name}: inputs of different sizes")
        before, waiting = next(iter(spatial), (ONCE, 0))
        level, padding = self._after(layer, before, waiting)
        output = node.outputs[0]
        self.of[id(output)] = level, padding
        at = before if isinstance(layer, keras.layers.GlobalAveragePooling2D) else level
        self.flops[at] = self.flops.get(at, 0) + operations(layer, node)
        if not isinstance(layer, PADDING):
            self.values[level] = self.values.get(level, 0) + output.shape[-1]

    def _after(self, layer: Any, level: int, waiting: int) -> tuple[int, int]:
        if isinstance(layer, (keras.layers.GlobalAveragePooling2D, keras.layers.Reshape)):
            return ONCE, 0
        if isinstance(layer, keras.layers.ZeroPadding2D):
            return level, waiting + _even(layer.padding)
        if isinstance(layer, keras.layers.Cropping2D):
            return level, waiting - _even(layer.cropping)
        window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
        if window is None or level == ONCE:
            if waiting:
                raise ValueError(f"{layer.name}: padding before a layer without a window")
            return level, 0
        (stride,) = set(layer.strides)
        side = 1 if layer.padding == "same" else max(window) - waiting
        if layer.padding == "same" and waiting:
            raise ValueError(f"{layer.name}: padded twice")
        if (side, stride) == (1, 1):
            return level, 0
        step = (level, side, stride)
        if step not in self.levels:
            self.levels.append(step)
        return self.levels.index(step) + 1, 0


PADDING = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D, keras.layers.Reshape)


def _even(sides: Any) -> int:
    (total,) = {sum(pair) for pair in sides}
    return int(total)


def operations(layer: Any, node: Any) -> int:
    """Floating point operations of a layer for each position of its output.

    They are counted as `zoo.plan.appender` counts them; a global pool's for each of its input.
    """
    channels = node.outputs[0].shape[-1]
    if isinstance(layer, keras.layers.SeparableConv2D):
        pointwise = prod(layer.pointwise_kernel.shape)
        return 2 * (prod(layer.depthwise_kernel.shape) + pointwise) + channels * layer.use_bias
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)):
        return 2 * prod(layer.kernel.shape) + channels * layer.use_bias
    if isinstance(layer, keras.layers.BatchNormalization):
        return 2 * channels
    if isinstance(layer, keras.layers.LayerNormalization):
        return 8 * channels
    if hasattr(layer, "pool_size"):
        return prod(layer.pool_size) * channels
    free = (*PADDING, keras.layers.Concatenate, keras.layers.Dropout)
    return 0 if isinstance(layer, free) else channels


def describe(name: str) -> dict[str, Any]:
    """What the table says of a network."""
    side = ODD_AFTER_VALID if name.startswith("NASNet") else ODD
    network = application(name, (side, side))
    found = Levels()
    found.of[id(network.inputs[0])] = (0, 0)
    for operation in network.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if isinstance(operation, keras.layers.Rescaling | keras.layers.Normalization):
            node = operation._inbound_nodes[0]
            found.of[id(node.outputs[0])] = (0, 0)
        elif isinstance(operation, keras.Sequential):
            _follow_sequence(found, operation)
        else:
            found.follow(operation)
    counts = range(-1, len(found.levels) + 1)
    order = [*counts[1:], ONCE]
    return {
        "smallest": smallest(name),
        "channels": network.output.shape[-1],
        "output": found.of[id(network.output)][0],
        "levels": found.levels,
        "flops": [found.flops.get(level, 0) for level in order],
        "values": [found.values.get(level, 0) for level in order],
        "layers": " ".join(_weights(called, layer) for called, layer in layers(network)),
    }


def _follow_sequence(found: Levels, sequence: keras.Sequential) -> None:
    """Follows the layers of a `Sequential`, which Keras called on a tensor of its own."""
    outer = sequence._inbound_nodes[0] if len(sequence._inbound_nodes) == 1 else None
    outer = outer or sequence._inbound_nodes[-1]
    inner = sequence.layers[0]._inbound_nodes[0].input_tensors[0]
    found.of[id(inner)] = found.of[id(outer.input_tensors[0])]
    for layer in sequence.layers:
        found.follow(layer)
    last = sequence.layers[-1]._inbound_nodes[0].outputs[0]
    found.of[id(outer.outputs[0])] = found.of[id(last)]


def _weights(name: str, layer: Any) -> str:
    """A layer as `backbones._layer` reads it."""
    if not getattr(layer, "weights", None):
        return name
    trained = layer.trainable_weights
    # Keras gives ConvNeXt's scales no name of their own.
    names = [variable.name if not variable.name.startswith("variable") else "gamma"
             for variable in trained]  # fmt: skip
    counts = [sum(prod(v.shape) for v in some) for some in (trained, layer.non_trainable_weights)]
    return ":".join([name, ",".join(names), *map(str, counts)])


def smallest(name: str) -> int:
    """Fewest pixels of a side for which Keras makes the network."""
    for side in range(16, 256):
        try:
            application(name, (side, side))
        except ValueError:
            continue
        return side
    raise ValueError(f"{name}: no size fits")


def verify(name: str) -> list[str]:
    """Where Keras's networks differ from the table; empty where they do not."""
    known = backbones.backbone(name)
    differences = []
    sizes = [size for size in SIZES if min(size) >= known.smallest]
    for size in [(known.smallest, known.smallest + 1), *sizes]:
        network = application(name, size)
        built = tuple(network.output.shape[1:])
        if built != known.size(size).shape:
            differences.append(f"{name} {size}: {built}, not {known.size(size).shape}")
        found = [_counts(called, layer) for called, layer in layers(network)]
        expected = [(layer.name, layer.trainable, layer.fixed) for layer in known.layers]
        if found != expected:
            different = sorted({name for name, *_ in {*found} ^ {*expected}})
            differences.append(f"{name} {size}: other layers or weights: {different[:5]}")
        keras.backend.clear_session()
    return differences


def _counts(name: str, layer: Any) -> tuple[str, int, int]:
    """A layer's name, and its numbers of trained weights and of others."""
    trained = getattr(layer, "trainable_weights", ())
    others = getattr(layer, "non_trainable_weights", ())
    return name, sum(prod(v.shape) for v in trained), sum(prod(v.shape) for v in others)


def main() -> None:
    """Writes the table, or with --verify compares it with Keras's networks."""
    names = [word for word in sys.argv[1:] if not word.startswith("-")] or list(BACKBONES)
    if "--verify" in sys.argv:
        wrong = 0
        for name in names:
            differences = verify(name)
            print(name, differences or "as the table says", flush=True)
            wrong += bool(differences)
        sys.exit(1 if wrong else 0)
    table = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.is_file() else {}
    for name in names:
        print(name, flush=True)
        table[name] = describe(name)
        keras.backend.clear_session()
    lines = [
        f" {json.dumps(name)}: {json.dumps(table[name])}" for name in BACKBONES if name in table
    ]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
