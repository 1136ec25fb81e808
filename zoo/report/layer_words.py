"""What a picture of layers writes: short names of layers, stages and shapes. Light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zoo.plan import Layer
from zoo.report.layer_tree import Box, Item, Join, Repeat

ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
}
NORMS = {"bn": "BN", "gn": "group norm", "ln": "layer norm"}
DOT = "\N{NO-BREAK SPACE}· "  # A line may break behind it.
JOINS = {"add": "+", "multiply": "×", "concat": "concat"}


def shape(values: Sequence[int]) -> str:
    """A shape without the batch: 32×32×16."""
    return "×".join(map(str, values))


def window(sides: Sequence[int]) -> str:
    """A kernel or window: 3×3."""
    return "×".join(map(str, sides))


def word(layer: Layer) -> str:
    """A layer in a word or two, such as `conv 3×3, 64` or `max pool 2×2`."""
    if layer.kind in NORMS:
        return NORMS[layer.kind]
    writer = WORDS.get(layer.kind)
    return writer(layer.options) if writer else layer.kind.replace("_", " ")


def _stride(strides: Sequence[int]) -> str:
    return f", stride {strides[0] if len(set(strides)) == 1 else window(strides)}"


def _strides(options: Any) -> str:
    return "" if tuple(options.strides) == (1, 1) else _stride(options.strides)


def _conv(options: Any) -> str:
    groups = f", {options.groups} groups" * (options.groups > 1)
    dilation = f", dilation {options.dilation_rate[0]}" * (tuple(options.dilation_rate) != (1, 1))
    kernel = window(options.kernel_size)
    return f"conv {kernel}, {options.filters}{_strides(options)}{groups}{dilation}"


def _pool(options: Any) -> str:
    usual = options.strides is None or tuple(options.strides) == tuple(options.pool_size)
    return f"{options.word} pool {window(options.pool_size)}" + (
        "" if usual else _stride(options.strides)
    )


def _activation(options: Any) -> str:
    name: str = options.activation.word
    return ACTIVATIONS.get(name, name.replace("_", " "))


def _kept(options: Any) -> str:
    return f"{options.rate:.3g}"


WORDS: dict[str, Callable[[Any], str]] = {
    "conv": _conv,
    "depthwise_conv": lambda o: f"depthwise {window(o.kernel_size)}{_strides(o)}",
    "whiten": lambda o: f"whiten {window(o.kernel_size)}, {o.filters}",
    "gate_conv": lambda o: f"conv 1×1, {o.filters}",
    "fc": lambda o: f"fc, {o.units}",
    "head": lambda o: f"logits, {o.units}",
    "act": _activation,
    "gate_act": _activation,
    "prelu": lambda _: "PReLU",
    "maxout": lambda o: f"maxout of {o.pieces}",
    "pool": _pool,
    "global_pool": lambda o: f"global {o.word} pool",
    "dropout": lambda o: f"dropout {_kept(o)}",
    "spatial_dropout": lambda o: f"spatial dropout {_kept(o)}",
    "alpha_dropout": lambda o: f"alpha dropout {_kept(o)}",
    "stochastic_depth": lambda o: f"stochastic depth {_kept(o)}",
    "shortcut": lambda o: f"zeros to {o.channels}{_strides(o)}",
    "scale": lambda o: f"times {o.factor:.3g}",
    "backbone": lambda o: o.name,
}


def title(box: Box) -> str:
    """The main layer of a box: the one with the kernel, else the first."""
    if box.layers[0].kind == "image":
        return f"image {shape(box.layers[0].output_shape)}"
    if any(layer.kind == "gate_conv" for layer in box.layers):
        sizes = [layer.output_shape[-1] for layer in box.layers if layer.kind != "gate_act"]
        return "channel gates " + " → ".join(map(str, sizes))
    return word(_main(box))


def detail(box: Box) -> str:
    """The other layers of a box, in their order."""
    main = _main(box)
    place = box.layers.index(main)
    before = [_whole(layer) for layer in box.layers[:place] if layer.kind != "flatten"]
    after = [_whole(layer) for layer in box.layers[place + 1 :]]
    if any(layer.kind == "gate_conv" for layer in box.layers):
        before, after = [], [_whole(layer) for layer in box.layers if layer.kind == "gate_act"]
    first = [DOT.join(before) + " first"] if before else []
    return "; ".join([*first, *([DOT.join(after)] if after else [])])


def _whole(layer: Layer) -> str:
    """A layer in words between which no line breaks."""
    return word(layer).replace(" ", "\N{NO-BREAK SPACE}")


def _main(box: Box) -> Layer:
    return next((layer for layer in box.layers if layer.has_kernel), box.layers[0])


def join_word(join: Join) -> str:
    """How branches join: `+`, `×` or `concat`."""
    return JOINS[join.layers[0].kind]


def behind(join: Join) -> str:
    """What follows in the same stage after branches have joined, such as an activation."""
    return DOT.join(word(layer) for layer in join.layers[1:])


def sentence(row: Sequence[Item]) -> str:
    """A row of items in words, for those who do not see its picture."""
    return "; ".join(map(_words, row))


def _words(item: Item) -> str:
    if isinstance(item, Repeat):
        return f"{item.times} times ({sentence(item.items)})"
    if isinstance(item, Box):
        more = detail(item)
        return title(item) + (f" ({more})" if more else "")
    ways = [sentence(branch) or "the input itself" for branch in item.branches]
    verb = {"add": "sum", "multiply": "product", "concat": "concatenation"}[item.layers[0].kind]
    more = behind(item)
    return f"{verb} of [{'] and ['.join(ways)}]" + (f", then {more}" if more else "")
