"""Appends the layers that the parts of a stage come to, but kernels: norms, activations, pools."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

from zoo.plan import own_layers
from zoo.plan.layer import Layer, Shape
from zoo.plan.options import (
    ActivationOptions,
    DropoutOptions,
    MaxoutOptions,
    NormOptions,
    PoolOptions,
    PreluOptions,
)
from zoo.plan.sliding import slide, times
from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import KernelStage
from zoo.recipe.norms import BatchNorm, GroupNorm, LayerNorm
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import KeyPath

NORM_KINDS: dict[type, str] = {BatchNorm: "bn", GroupNorm: "gn", LayerNorm: "ln"}


@dataclass
class Appender:
    """A growing list of layers. Each method appends one, behind the layer `last`.

    After the first problem nothing more is appended: every later shape would be wrong.

    Attributes:
        recipe: resolved.
        num_classes: number of logits.
        layers: so far.
        last: the layer that the next one follows; not the last of `layers` where a branch begins.
        problems: what does not fit, as (path, sentence).
        counts: number of layers of each kind so far, for their names.
        blocks: number of residual blocks so far.
        path: path of the current stage in the recipe.
        stopped: whether a problem was found, or the plan ends where code would have to run.
        runs_parts: whether the code of layers of the user's own runs where the plan needs it.
    """

    recipe: Recipe
    num_classes: int
    layers: list[Layer] = field(default_factory=list)
    last: Layer = field(init=False)
    problems: list[tuple[KeyPath, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    blocks: int = 0
    path: KeyPath = ()
    stopped: bool = False
    runs_parts: bool = True

    @property
    def shape(self) -> Shape:
        """Output shape of the layer that the next one follows."""
        return self.last.output_shape

    def fail(self, message: str, *keys: str | int) -> None:
        """Notes a problem of the current stage, at `keys` in it, and stops."""
        self.problems.append(((*self.path, *keys), message))
        self.stopped = True

    def number(self, kind: str) -> str:
        """A new name for a layer of a kind: `conv1`, `conv2`, ..."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]}"

    def add(
        self,
        kind: str,
        name: str,
        shape: Shape,
        inputs: tuple[str, ...] | None = None,
        **attributes: Any,
    ) -> None:
        """Appends a layer of the current stage.

        Args:
            kind: of the layer.
            name: of the layer.
            shape: of its output.
            inputs: names of the layers that it follows; None: `last`.
            attributes: further ones of `Layer`.
        """
        if self.stopped:
            return
        names = (self.last.name,) if inputs is None else inputs
        self.last = Layer(
            kind=kind, name=name, output_shape=shape, inputs=names, path=self.path, **attributes
        )
        self.layers.append(self.last)

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

    def norm(
        self, kernel: str, norm: BatchNorm | GroupNorm | LayerNorm, name: str | None = None
    ) -> None:
        """Appends a norm.

        Args:
            kernel: name of the layer whose outputs it normalises, for problems.
            norm: its options.
            name: its name; None: that of the kernel, with the kind at its end.
        """
        kind = NORM_KINDS[type(norm)]
        *size, channels = self.shape
        fault = ""
        if isinstance(norm, GroupNorm):
            fault = _group_fault(kernel, norm.groups, channels, prod(size))
        elif kind == "ln" and channels == 1:
            fault = f"{kernel} has one channel: a layer norm over channels leaves nothing"
        if fault:
            keys: KeyPath = ("group_norm", "groups") if kind == "gn" else ("layer_norm",)
            # Where the stage has its norm from the defaults, they hold the key to change.
            inherited = norm is getattr(self.recipe.model.defaults, str(keys[0]))
            at: KeyPath = ("model", "defaults") if inherited else self.path
            if self.path[-1:] == keys[:1]:  # The norm is the stage.
                at, keys = self.path, keys[1:]
            self.problems.append(((*at, *keys), fault))
            self.stopped = True
            return
        # In inference batch norm is a factor and a shift; the others measure each image.
        self.add(
            kind,
            name or f"{kernel}_{kind}",
            self.shape,
            trainable=channels * (norm.center + norm.scale),
            fixed=2 * channels * (kind == "bn"),
            flops=(2 if kind == "bn" else 8) * prod(self.shape),
            options=NormOptions(norm=norm),
        )

    def activation(self, name: str, activation: Choice, kernel: str | None = None) -> None:
        """Appends an activation; nothing for `linear`.

        Args:
            name: of the layer.
            activation: word and options.
            kernel: name of the layer before it, for problems; None: `name` without its end.
        """
        *size, channels = self.shape
        word, values = activation.word, prod(self.shape)
        if word == "maxout":
            pieces = activation.options.pieces
            if channels % pieces:
                of = kernel or name.removesuffix("_act")
                self.fail(
                    f"maxout of {pieces} pieces does not divide the {channels} "
                    f"channels of {of}; take another activation there",
                    *["activation"] * (self.path[-1:] != ("activation",)),
                )
                return
            shape = (*size, channels // pieces)
            self.add("maxout", name, shape, flops=values, options=MaxoutOptions(pieces=pieces))
        elif word == "prelu":
            slope = PreluOptions(negative_slope=activation.options.negative_slope)
            self.add("prelu", name, self.shape, trainable=channels, flops=2 * values, options=slope)
        elif activation.part and activation.part.is_class:
            self.own_layer(name, activation, is_activation=True)
        elif word != "linear":
            options = ActivationOptions(activation=activation)
            known = activation.part is None
            flops = values if known else 0
            self.add("act", name, self.shape, flops=flops, flops_known=known, options=options)

    def own_layer(self, name: str, choice: Choice, is_activation: bool = False) -> None:
        """Appends a layer of the user's own; without its code the plan ends here.

        Args:
            name: of the layer.
            choice: its word and options.
            is_activation: whether it must keep the shape.
        """
        if self.stopped or not self.runs_parts:
            self.stopped = True
            return
        policy = self.recipe.train.dtype_policy
        found = own_layers.measured(choice, self.shape, policy)
        fault = own_layers.shape_fault(choice.word, self.shape, found.shape, is_activation)
        if fault:
            self.fail(fault)
            return
        self.add(
            "own_layer", name, tuple(int(side or 0) for side in found.shape),
            trainable=found.trainable, fixed=found.fixed, flops_known=False,
            options=own_layers.OwnLayerOptions(choice=choice, variables=found.variables),
        )  # fmt: skip

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
