"""What stages are made of: the layers that kernels, norms, activations and pools come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from zoo.plan.layer import Layer, Shape
from zoo.recipe import Recipe
from zoo.recipe.network import Layered
from zoo.recipe.norms import BatchNorm, GroupNorm, LayerNorm
from zoo.recipe.yaml_reader import Path

# Batch norm alone is a factor and a shift in inference; the others measure each image.
NORM_KINDS: dict[Any, str] = {BatchNorm: "bn", GroupNorm: "gn", LayerNorm: "ln"}


@dataclass
class Parts:
    """The layers so far, and the methods that add one: each takes it from the last one's shape."""

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

    def fail(self, message: str, *more: str | int) -> None:
        self.problems.append(((*self.path, *more), message))
        self.stopped = True

    def number(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]}"

    def add(self, kind: str, name: str, shape: Shape, **more: Any) -> None:
        if not self.stopped:
            layer = Layer(kind=kind, name=name, output_shape=shape, path=self.path, **more)
            self.layers.append(layer)

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

    def vector(self) -> None:
        if not self.stopped and len(self.shape) == 3:
            self.flatten()

    def depthwise(self, name: str, conv: Any, strides: tuple[int, int]) -> None:
        if not self.spatial("a depthwise_conv stage"):
            return
        channels = self.shape[-1]
        filters = channels * conv.depth_multiplier * pieces(conv)
        out = self.slid(name, conv, strides)
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

    def part(self, part: str, name: str, stage: Layered, last: bool) -> None:
        """Batch norm, activation or dropout of a stage; pooling is the caller's."""
        if self.stopped:
            return
        if part == "bn" and stage.norm:
            self.norm(name, stage.norm)
        elif part == "act" and stage.activation:
            self.activation(f"{name}_act", stage.activation)
        elif part == "dropout" and last and stage.dropout:
            self.dropout("dropout", stage.dropout)

    def norm(self, name: str, norm: Any) -> None:
        kind = NORM_KINDS[type(norm)]
        *size, channels = self.shape
        fault = ""
        if kind == "gn" and channels % norm.groups:
            fault = f"groups={norm.groups} does not divide the {channels} channels of {name}"
        elif kind == "gn" and prod(size) * channels == norm.groups:
            fault = f"each of {norm.groups} groups of {name} is one value: the norm leaves nothing"
        elif kind == "ln" and channels == 1:
            fault = f"{name} has one channel: a layer norm over channels leaves nothing"
        if fault:
            key = "group_norm" if kind == "gn" else "layer_norm"
            if kind == "gn":
                fits = [n for n in range(1, min(channels, 65)) if channels % n == 0]
                fault += f"; groups that fit: {', '.join(map(str, fits))}"
            # Where the norm is that of the defaults, there is its key.
            common = norm is getattr(self.recipe.model.defaults, key)
            at: Path = ("model", "defaults") if common else self.path
            self.problems.append(((*at, key, *(["groups"] if kind == "gn" else [])), fault))
            self.stopped = True
            return
        self.add(
            kind,
            f"{name}_{kind}",
            self.shape,
            trainable=channels * (norm.center + norm.scale),
            fixed=2 * channels * (kind == "bn"),
            flops=(2 if kind == "bn" else 8) * prod(self.shape),
            options=norm,
        )

    def activation(self, name: str, activation: Any) -> None:
        *size, channels = self.shape
        word = activation.word
        if word == "maxout":
            if channels % activation.options.pieces:
                self.fail(
                    f"maxout of {activation.options.pieces} pieces does not divide the {channels} "
                    f"channels of {name.removesuffix('_act')}; take another activation there",
                    "activation",
                )
                return
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

    def convolution(self, name: str, conv: Any, strides: tuple[int, int]) -> None:
        if not self.spatial("a conv stage"):
            return
        channels = self.shape[-1]
        if channels % conv.groups:
            self.fail(
                f"groups={conv.groups} does not divide its {channels} input channels", "groups"
            )
            return
        filters = conv.filters * pieces(conv)
        out = self.slid(name, conv, strides)
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

    def slid(self, name: str, conv: Any, strides: tuple[int, int]) -> tuple[int, int] | None:
        """Height and width after a convolution; None, and a problem, where it does not fit."""
        size = self.shape[:2]
        reach = [d * (k - 1) + 1 for k, d in zip(conv.kernel_size, conv.dilation_rate, strict=True)]
        out = slide(size, reach, strides, conv.padding)
        if min(out) < 1:
            other = "" if self.path[-1] == "whiten" else "padding: same, "
            self.fail(
                f"{name} ({times(conv.kernel_size)}, padding: valid) turns {times(size)} into "
                f"{times(out)}: use {other}a smaller kernel or larger images"
            )
            return None
        return out

    def dense(self, name: str, units: int, options: Any, kind: str = "fc") -> None:
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

    def pool(self, pool: Any) -> None:
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

    def flatten(self) -> None:
        self.add("flatten", self.number("flatten"), (prod(self.shape),))

    def dropout(self, kind: str, rate: float) -> None:
        if not self.stopped:
            self.add(kind, self.number(kind), self.shape, options=rate)


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
