"""Goes through a resolved stack from shape to shape, making layers and noting what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

from zoo.plan.layer import Layer, Shape
from zoo.reader import Path
from zoo.recipe import Recipe
from zoo.recipe.network import Conv, Initializer, Layered
from zoo.recipe.resolve import full_order, scaled


@dataclass
class Walk:
    """Goes through the stack, from shape to shape."""

    recipe: Recipe
    num_classes: int
    layers: list[Layer] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    path: Path = ()
    stopped: bool = False

    @property
    def shape(self) -> Shape:
        return self.layers[-1].output_shape

    def go(self) -> None:
        image = self.recipe.image_shape
        self.layers.append(Layer(kind="image", name="image", output_shape=image))
        if self.recipe.data.preprocess != "none":
            self.add("normalise", "normalise", image, flops=2 * prod(image))
        self._stack(self.recipe.model.stack, ("model", "stack"))
        self.path = ("model", "head")
        self._vector()
        head = self.recipe.model.head
        self._dense("logits", self.num_classes, head, kind="head")
        if head.scale != 1.0:
            shape = (self.num_classes,)
            self.add("scale", "logits_scale", shape, flops=shape[0], options=head.scale)

    def _stack(self, stack: tuple[Any, ...], path: Path) -> None:
        for index, stage in enumerate(stack):
            if self.stopped:
                return
            self.path = (*path, index, stage.word)
            getattr(self, f"_{stage.word}")(stage.options)

    def fail(self, message: str, *more: str | int) -> None:
        self.problems.append(((*self.path, *more), message))
        self.stopped = True

    def number(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]}"

    def add(self, kind: str, name: str, shape: Shape, **more: Any) -> None:
        if not self.stopped:
            self.layers.append(Layer(kind=kind, name=name, output_shape=shape, **more))

    def spatial(self, what: str) -> bool:
        if self.stopped:
            return False
        if len(self.shape) == 3:
            return True
        self.fail(
            f"{what} needs an image, but gets a vector of {self.shape[0]}; "
            "put it in front of flatten, global_pool and fc"
        )
        return False

    def _vector(self) -> None:
        if not self.stopped and len(self.shape) == 3:
            self._flatten(None)

    # The stages, by their words.

    def _group(self, group: Any) -> None:
        path = self.path
        for _ in range(group.repeat):
            self._stack(group.stack, (*path, "stack"))

    def _residual(self, block: Any) -> None:
        path, start = self.path, self.layers[-1]
        self._stack(block.stack, (*path, "stack"))
        self.path = path
        if self.stopped:
            return
        end = self.layers[-1]
        name = self.number("add")
        way = self._shortcut(block.shortcut, start, end, name.replace("add", "shortcut"))
        if way:
            inputs = (end.name, way)
            shape = end.output_shape
            self.add("add", name, shape, flops=prod(shape), inputs=inputs)
            self._activation(f"{name}_act", block.activation)

    def _shortcut(self, kind: str, start: Layer, end: Layer, name: str) -> str | None:
        """Brings the block's input to its end's shape; the name of the layer that does, or None."""
        before, after = start.output_shape, end.output_shape
        if before == after and kind in ("auto", "identity"):
            return start.name
        told = f"the block turns {times(before)} into {times(after)}"
        if kind == "identity":
            self.fail(f"{told}: shortcut: identity needs equal shapes; use projection or pad")
            return None
        if len(before) != 3 or len(after) != 3:
            self.fail(f"{told}: no shortcut leads there; keep vectors out of the block")
            return None
        strides = (-(-before[0] // after[0]), -(-before[1] // after[1]))
        if slide(before[:2], (1, 1), strides, "same") != after[:2]:
            self.fail(f"{told}: no strides lead there; use strides or pools with padding: same")
            return None
        if kind == "pad":
            if after[-1] < before[-1]:
                self.fail(f"{told}: shortcut: pad cannot drop channels; use projection")
                return None
            options = {"strides": strides, "channels": after[-1]}
            self.add("shortcut", name, after, options=options, inputs=(start.name,))
            return name
        defaults = self.recipe.model.defaults
        weights, bias = before[-1] * after[-1], after[-1] * (defaults.batch_norm is None)
        conv = Conv(
            filters=after[-1],
            kernel_size=(1, 1),
            strides=strides,
            use_bias=bool(bias),
            padding="same",
            kernel_initializer=scaled(1.0),
            bias_initializer=Initializer.model_validate("zeros"),
            kernel_regularizer=defaults.kernel_regularizer,
            batch_norm=defaults.batch_norm,
        )
        self.add(
            "conv",
            name,
            after,
            trainable=weights + bias,
            flops=(2 * weights + bias) * prod(after[:2]),
            options=conv,
            inputs=(start.name,),
        )
        self._part("bn", name, conv, False)
        return self.layers[-1].name

    def _conv(self, conv: Any) -> None:
        self._convolving("conv", conv, self._convolution)

    def _depthwise_conv(self, conv: Any) -> None:
        self._convolving("depthwise_conv", conv, self._depthwise)

    def _convolving(self, kind: str, conv: Any, kernel: Callable[..., None]) -> None:
        """The parts of a stage around its kernel, in their order, `repeat` times."""
        base = self.number(kind)
        for repeat in range(1, conv.repeat + 1):
            name = base if conv.repeat == 1 else f"{base}_{repeat}"
            strides = conv.strides if repeat == 1 else (1, 1)
            last = repeat == conv.repeat
            for part in full_order(conv.order):
                if part == "conv":
                    kernel(name, conv, strides)
                elif part == "pool" and last and conv.pool:
                    self._pool(conv.pool)
                else:
                    self._part(part, name, conv, last)

    def _depthwise(self, name: str, conv: Any, strides: tuple[int, int]) -> None:
        if not self.spatial("a depthwise_conv stage"):
            return
        channels = self.shape[-1]
        filters = channels * conv.depth_multiplier * pieces(conv)
        out = self._slid(name, conv, strides)
        if out is None:
            return
        weights = prod(conv.kernel_size) * filters
        bias = filters * conv.use_bias
        update = {"strides": strides, "depth_multiplier": filters // channels}
        self.add(
            "depthwise_conv",
            name,
            (*out, filters),
            trainable=weights + bias,
            flops=prod(out) * (2 * weights + bias),
            options=conv.model_copy(update=update),
        )

    def _fc(self, fc: Any) -> None:
        base = self.number("fc")
        self._vector()
        for repeat in range(1, fc.repeat + 1):
            name = base if fc.repeat == 1 else f"{base}_{repeat}"
            for part in full_order(fc.order):
                if part == "conv":
                    self._dense(name, fc.units * pieces(fc), fc)
                else:
                    self._part(part, name, fc, repeat == fc.repeat)

    def _part(self, part: str, name: str, stage: Layered, last: bool) -> None:
        """Batch norm, activation or dropout of a stage; pooling is the caller's."""
        if self.stopped:
            return
        if part == "bn" and stage.batch_norm:
            norm = stage.batch_norm
            channels = self.shape[-1]
            self.add(
                "bn",
                f"{name}_bn",
                self.shape,
                trainable=channels * (norm.center + norm.scale),
                fixed=2 * channels,
                flops=2 * prod(self.shape),
                options=norm,
            )
        elif part == "act" and stage.activation:
            self._activation(f"{name}_act", stage.activation)
        elif part == "dropout" and last and stage.dropout:
            self._dropout(stage.dropout)

    def _activation(self, name: str, activation: Any) -> None:
        *size, channels = self.shape
        word = activation.word
        if word == "maxout":
            shape = (*size, channels // activation.options.pieces)
            self.add("maxout", name, shape, flops=prod(self.shape), options=activation.options)
        elif word == "prelu":
            self.add(
                "prelu",
                name,
                self.shape,
                trainable=channels,
                flops=2 * prod(self.shape),
                options=activation.options,
            )
        elif word != "linear":
            self.add("act", name, self.shape, flops=prod(self.shape), options=activation)

    def _convolution(self, name: str, conv: Any, strides: tuple[int, int]) -> None:
        if not self.spatial("a conv stage"):
            return
        channels = self.shape[-1]
        if channels % conv.groups:
            self.fail(
                f"groups={conv.groups} does not divide its {channels} input channels", "groups"
            )
            return
        filters = conv.filters * pieces(conv)
        out = self._slid(name, conv, strides)
        if out is None:
            return
        weights = prod(conv.kernel_size) * channels // conv.groups * filters
        bias = filters * conv.use_bias
        self.add(
            "conv",
            name,
            (*out, filters),
            trainable=weights + bias,
            flops=prod(out) * (2 * weights + bias),
            options=conv.model_copy(update={"strides": strides, "filters": filters}),
        )

    def _slid(self, name: str, conv: Any, strides: tuple[int, int]) -> tuple[int, int] | None:
        """Height and width after a convolution; None, and a problem, where it does not fit."""
        size = self.shape[:2]
        reach = [d * (k - 1) + 1 for k, d in zip(conv.kernel_size, conv.dilation_rate, strict=True)]
        out = slide(size, reach, strides, conv.padding)
        if min(out) < 1:
            self.fail(
                f"{name} ({times(conv.kernel_size)}, padding: valid) turns {times(size)} into "
                f"{times(out)}: use padding: same, a smaller kernel or larger images"
            )
            return None
        return out

    def _dense(self, name: str, units: int, options: Any, kind: str = "fc") -> None:
        if self.stopped:
            return
        weights = self.shape[0] * units
        bias = units * options.use_bias
        self.add(
            kind,
            name,
            (units,),
            trainable=weights + bias,
            flops=2 * weights + bias,
            options=options,
        )

    def _pool(self, pool: Any) -> None:
        if not self.spatial("pooling"):
            return
        name = self.number("pool")
        window = pool.options
        *size, channels = self.shape
        strides = window.strides or window.pool_size
        out = slide(size, window.pool_size, strides, window.padding)
        if min(out) < 1:
            self.fail(
                f"{name} turns {times(size)} into {times(out)}: drop a pool or use larger images"
            )
            return
        flops = prod(out) * channels * prod(window.pool_size)
        self.add("pool", name, (*out, channels), flops=flops, options=pool)

    def _global_pool(self, pool: Any) -> None:
        if self.spatial("global_pool"):
            name = self.number("global_pool")
            self.add("global_pool", name, self.shape[-1:], flops=prod(self.shape), options=pool)

    def _flatten(self, _: Any) -> None:
        self.add("flatten", self.number("flatten"), (prod(self.shape),))

    def _dropout(self, dropout: Any) -> None:
        rate = dropout if isinstance(dropout, float) else dropout.rate
        self.add("dropout", self.number("dropout"), self.shape, options=rate)


def pieces(stage: Any) -> int:
    """How many times its filters or units a kernel has, for the activation after it."""
    activation = stage.activation
    return int(activation.options.pieces) if activation.word == "maxout" else 1


def slide(
    size: list[int] | Shape, window: list[int] | Shape, strides: Shape, padding: str
) -> tuple[int, int]:
    """Height and width after a window has slid over them; 0 or less where it does not fit."""
    if padding == "same":
        height, width = (-(-n // s) for n, s in zip(size, strides, strict=True))
    else:
        height, width = (
            max((n - k) // s + 1, 0) for n, k, s in zip(size, window, strides, strict=True)
        )
    return height, width


def times(size: list[int] | Shape) -> str:
    """(3, 3) as 3x3."""
    return "x".join(map(str, size))
