"""Appends the layers that the parts of a stage come to: kernels, norms, activations, pools."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from zoo.plan.layer import Layer, Shape
from zoo.plan.options import (
    ActivationOptions,
    ConvOptions,
    DepthwiseConvOptions,
    DropoutOptions,
    FcOptions,
    HeadOptions,
    MaxoutOptions,
    NormOptions,
    PoolOptions,
    PreluOptions,
    WhitenOptions,
)
from zoo.plan.sliding import slide, times
from zoo.recipe.fields import MAX_COUNT, Choice
from zoo.recipe.kernel_stages import KernelStage
from zoo.recipe.norms import BatchNorm, GroupNorm, LayerNorm
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import KeyPath

NORM_KINDS: dict[type, str] = {BatchNorm: "bn", GroupNorm: "gn", LayerNorm: "ln"}


@dataclass
class Appender:
    """A growing list of layers. Each method appends one, shaped by the output of the last.

    After the first problem nothing more is appended: every later shape would be wrong.

    Attributes:
        recipe: resolved.
        num_classes: number of logits.
        layers: so far.
        problems: what does not fit, as (path, sentence).
        counts: number of layers of each kind so far, for their names.
        path: path of the current stage in the recipe.
        stopped: whether a problem was found.
    """

    recipe: Recipe
    num_classes: int
    layers: list[Layer] = field(default_factory=list)
    problems: list[tuple[KeyPath, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    path: KeyPath = ()
    stopped: bool = False

    @property
    def shape(self) -> Shape:
        """Output shape of the last layer."""
        return self.layers[-1].output_shape

    def fail(self, message: str, *keys: str | int) -> None:
        """Notes a problem of the current stage, at `keys` in it, and stops."""
        self.problems.append(((*self.path, *keys), message))
        self.stopped = True

    def number(self, kind: str) -> str:
        """A new name for a layer of a kind: `conv1`, `conv2`, ..."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]}"

    def add(self, kind: str, name: str, shape: Shape, **attributes: Any) -> None:
        """Appends a layer of the current stage."""
        if not self.stopped:
            layer = Layer(kind=kind, name=name, output_shape=shape, path=self.path, **attributes)
            self.layers.append(layer)

    def spatial(self, consumer: str) -> bool:
        """Whether the shape is an image's; notes a problem where it is a vector's."""
        if self.stopped:
            return False
        if len(self.shape) == 3:
            return True
        self.fail(
            f"{consumer} needs an image, but gets a vector of {self.shape[0]}; "
            "put it in front of flatten, global_pool and fc"
        )
        return False

    def vector(self) -> None:
        """Flattens, unless the shape is a vector's already."""
        if not self.stopped and len(self.shape) == 3:
            self.flatten()

    def conv(self, name: str, options: ConvOptions) -> None:
        """Appends a convolution."""
        if not self.spatial("a conv stage"):
            return
        channels, groups = self.shape[-1], options.groups
        if channels % groups:
            self.fail(f"groups={groups} does not divide its {channels} input channels", "groups")
            return
        weights = prod(options.kernel_size) * channels // groups * options.filters
        self._convolution("conv", name, options, options.filters, weights)

    def depthwise_conv(self, name: str, options: DepthwiseConvOptions) -> None:
        """Appends a convolution of each channel on its own."""
        if self.spatial("a depthwise_conv stage"):
            filters = self.shape[-1] * options.depth_multiplier
            if filters > MAX_COUNT:
                self.fail(
                    f"{name} makes {filters:,} channels of {self.shape[-1]:,}. Expected at most "
                    f"{MAX_COUNT:,}: frameworks count in 32 bits",
                    "depth_multiplier",
                )
                return
            weights = prod(options.kernel_size) * filters
            self._convolution("depthwise_conv", name, options, filters, weights)

    def _convolution(
        self,
        kind: str,
        name: str,
        options: ConvOptions | DepthwiseConvOptions,
        filters: int,
        weights: int,
    ) -> None:
        dilated = [
            dilation * (size - 1) + 1
            for size, dilation in zip(options.kernel_size, options.dilation_rate, strict=True)
        ]
        size = self.slid(name, options.kernel_size, dilated, options.strides, options.padding)
        if size is None or not self._meets_input(name, options):
            return
        bias = filters * options.use_bias
        self.add(
            kind,
            name,
            (*size, filters),
            trainable=weights + bias,
            flops=prod(size) * (2 * weights + bias),
            options=options,
        )

    def _meets_input(self, name: str, options: ConvOptions | DepthwiseConvOptions) -> bool:
        """Whether dilation leaves more of a kernel than padding; notes a problem where it does not.

        From twice the side on, the outer points of a kernel never meet the input, not even those of
        a kernel of two; the padding, though, takes memory and time.
        """
        for axis, side in enumerate(self.shape[:2]):
            dilation = options.dilation_rate[axis]
            if options.kernel_size[axis] > 1 and dilation >= 2 * max(side, 2):
                self.fail(
                    f"{name}: points of the kernel are {dilation:,} pixels apart, its input has "
                    f"{times(self.shape[:2])}: all but the middle lie in the padding. Expected "
                    f"dilation_rate below {side}",
                    "dilation_rate",
                )
                return False
        return True

    def whiten(self, name: str, options: WhitenOptions) -> None:
        """Appends a convolution whose kernel whitens patches; its bias alone is trained."""
        size = self.slid(name, options.kernel_size, options.kernel_size, (1, 1), "valid")
        if size is None:
            return
        weights = prod(options.kernel_size) * self.shape[-1] * options.filters
        self.add(
            "whiten",
            name,
            (*size, options.filters),
            trainable=options.filters,
            fixed=weights,
            flops=prod(size) * (2 * weights + options.filters),
            options=options,
        )

    def slid(
        self,
        name: str,
        kernel_size: Shape,
        dilated: list[int] | Shape,
        strides: Shape,
        padding: str,
    ) -> tuple[int, int] | None:
        """Height and width after a kernel; None, and a problem, where it does not fit.

        Args:
            name: of the layer, for the problem.
            kernel_size: as the recipe gives it, for the problem.
            dilated: height and width that the kernel spans.
            strides: down and across.
            padding: `same` or `valid`.
        """
        before = self.shape[:2]
        after = slide(before, dilated, strides, padding)
        if min(after) < 1:
            other = "" if self.path[-1] == "whiten" else "padding: same, "
            self.fail(
                f"{name} ({times(kernel_size)}, padding: valid) turns {times(before)} into "
                f"{times(after)}: use {other}a smaller kernel or larger images"
            )
            return None
        return after

    def dense(self, kind: str, name: str, options: FcOptions | HeadOptions) -> None:
        """Appends a fully connected layer; the shape must be a vector's."""
        if self.stopped:
            return
        weights = self.shape[0] * options.units
        bias = options.units * options.use_bias
        self.add(
            kind,
            name,
            (options.units,),
            trainable=weights + bias,
            flops=2 * weights + bias,
            options=options,
        )

    def part(self, part: str, name: str, stage: KernelStage, last: bool) -> None:
        """Appends the norm, activation or dropout of a stage; pooling is the caller's.

        Args:
            part: word of the stage's order.
            name: of the kernel before it.
            stage: resolved.
            last: whether this is the last repeat, which alone has dropout.
        """
        if self.stopped:
            return
        if part == "bn" and stage.norm:
            self.norm(name, stage.norm)
        elif part == "act" and stage.activation:
            self.activation(f"{name}_act", stage.activation)
        elif part == "dropout" and last and stage.dropout:
            self.dropout("dropout", stage.dropout)

    def norm(self, name: str, norm: BatchNorm | GroupNorm | LayerNorm) -> None:
        """Appends a norm behind the kernel `name`."""
        kind = NORM_KINDS[type(norm)]
        *size, channels = self.shape
        fault = ""
        if isinstance(norm, GroupNorm):
            fault = _group_fault(name, norm.groups, channels, prod(size))
        elif kind == "ln" and channels == 1:
            fault = f"{name} has one channel: a layer norm over channels leaves nothing"
        if fault:
            keys = ("group_norm", "groups") if kind == "gn" else ("layer_norm",)
            # Where the stage has its norm from the defaults, they hold the key to change.
            inherited = norm is getattr(self.recipe.model.defaults, keys[0])
            at: KeyPath = ("model", "defaults") if inherited else self.path
            self.problems.append(((*at, *keys), fault))
            self.stopped = True
            return
        # In inference batch norm is a factor and a shift; the others measure each image.
        self.add(
            kind,
            f"{name}_{kind}",
            self.shape,
            trainable=channels * (norm.center + norm.scale),
            fixed=2 * channels * (kind == "bn"),
            flops=(2 if kind == "bn" else 8) * prod(self.shape),
            options=NormOptions(norm=norm),
        )

    def activation(self, name: str, activation: Choice) -> None:
        """Appends an activation; nothing for `linear`."""
        *size, channels = self.shape
        word, values = activation.word, prod(self.shape)
        if word == "maxout":
            pieces = activation.options.pieces
            if channels % pieces:
                self.fail(
                    f"maxout of {pieces} pieces does not divide the {channels} "
                    f"channels of {name.removesuffix('_act')}; take another activation there",
                    "activation",
                )
                return
            shape = (*size, channels // pieces)
            self.add("maxout", name, shape, flops=values, options=MaxoutOptions(pieces=pieces))
        elif word == "prelu":
            slope = PreluOptions(negative_slope=activation.options.negative_slope)
            self.add("prelu", name, self.shape, trainable=channels, flops=2 * values, options=slope)
        elif word != "linear":
            options = ActivationOptions(activation=activation)
            self.add("act", name, self.shape, flops=values, options=options)

    def pool(self, pool: Choice) -> None:
        """Appends pooling over windows."""
        if not self.spatial("pooling"):
            return
        name = self.number("pool")
        window = pool.options
        *size, channels = self.shape
        strides = window.strides or window.pool_size
        after = slide(size, window.pool_size, strides, window.padding)
        if min(after) < 1:
            self.fail(
                f"{name} turns {times(size)} into {times(after)}: drop a pool or use larger images"
            )
            return
        self.add(
            "pool",
            name,
            (*after, channels),
            flops=prod(after) * channels * prod(window.pool_size),
            options=PoolOptions(
                word=pool.word,
                pool_size=window.pool_size,
                strides=window.strides,
                padding=window.padding,
            ),
        )

    def flatten(self) -> None:
        """Appends a layer that makes one vector of the image."""
        self.add("flatten", self.number("flatten"), (prod(self.shape),))

    def dropout(self, kind: str, rate: float) -> None:
        """Appends dropout of a kind."""
        if not self.stopped:
            self.add(kind, self.number(kind), self.shape, options=DropoutOptions(rate=rate))


def _group_fault(name: str, groups: int, channels: int, positions: int) -> str:
    """Why a group norm cannot follow the layer `name`; empty: it can."""
    if channels % groups:
        fault = f"groups={groups} does not divide the {channels} channels of {name}"
    elif positions * channels == groups:
        fault = f"each of {groups} groups of {name} is one value: the norm leaves nothing"
    else:
        return ""
    fits = [n for n in range(1, min(channels, 65)) if channels % n == 0]
    return f"{fault}; groups that fit: {', '.join(map(str, fits))}"
