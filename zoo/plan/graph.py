"""Which layers of a plan follow which, through branches: kernels, and the norms behind them. Light.

A plan lists its layers so that each comes after those that it follows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from zoo.plan.layer import Layer
from zoo.plan.options import (
    ActivationOptions,
    BackboneOptions,
    HiddenOptions,
    MaxoutOptions,
    PreluOptions,
)
from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import Activation

# Layers that pass a factor and a shift of their input on to their output.
PASSES_SCALE = ("pool", "dropout", "spatial_dropout", "stochastic_depth")
# What a norm behind a layer takes away: nothing, the scale of all channels, or of each channel.
NOTHING, WHOLE, EACH_CHANNEL = 0, 1, 2


def followers(layers: Iterable[Layer]) -> dict[str, list[Layer]]:
    """The layers that follow each layer directly, by its name."""
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        found[layer.name] = []
        for name in layer.inputs:
            found[name].append(layer)
    return found


def with_what_follows(layers: Sequence[Layer]) -> list[Layer]:
    """The layers, of which each kernel's options say what follows it.

    A norm follows a kernel if nothing sees the kernel's outputs but norms. Pools, dropout and, to
    batch norm, concatenation may lie between. An activation on its own is that of the kernel
    before it, whose stage has none.

    Args:
        layers: of a whole plan.
    """
    after = followers(layers)
    behind = _norms_behind(layers, after)
    changed = []
    for layer in layers:
        options = layer.options
        if isinstance(options, HiddenOptions):
            options = replace(options, norm_follows=behind[layer.name] > NOTHING)
            if options.activation.word == "linear":
                options = replace(options, activation=_activation_after(layer, after))
            layer = replace(layer, options=options)
        changed.append(layer)
    return changed


def _activation_after(layer: Layer, after: dict[str, list[Layer]]) -> Choice:
    """The activation on its own that follows a kernel, behind norms, pools and dropout; or none."""
    following = after[layer.name]
    while len(following) == 1 and (following[0].is_norm or following[0].kind in PASSES_SCALE):
        following = after[following[0].name]
    options = following[0].options if len(following) == 1 else None
    if following and following[0].path[-1:] == ("activation",):
        if isinstance(options, ActivationOptions):
            return options.activation
        if isinstance(options, PreluOptions):
            slope = {"negative_slope": options.negative_slope}
            return Activation.model_validate({"prelu": slope})
        if isinstance(options, MaxoutOptions):
            return Activation.model_validate({"maxout": {"pieces": options.pieces}})
    return Activation.model_validate("linear")


def _norms_behind(layers: Sequence[Layer], after: dict[str, list[Layer]]) -> dict[str, int]:
    """What the norms that follow each layer take away of its outputs' scale, by its name."""
    behind: dict[str, int] = {}
    for layer in reversed(layers):
        takes = [_takes(follower, behind) for follower in after[layer.name]]
        behind[layer.name] = min(takes, default=NOTHING)
    return behind


def _takes(layer: Layer, behind: dict[str, int]) -> int:
    if layer.is_norm:
        return EACH_CHANNEL if layer.kind == "bn" else WHOLE
    if layer.kind in PASSES_SCALE:
        return behind[layer.name]
    if layer.kind == "concat" and behind[layer.name] == EACH_CHANNEL:
        return EACH_CHANNEL
    return NOTHING


def cancelling_norms(layers: Sequence[Layer]) -> dict[str, str]:
    """The first batch norm that takes a kernel's bias away, by the kernel's name.

    Args:
        layers: of a whole plan.
    """
    after = followers(layers)
    norms: dict[str, str] = {}
    for layer in reversed(layers):
        for follower in after[layer.name]:
            if follower.kind == "bn":
                norms.setdefault(layer.name, follower.name)
            elif follower.kind in (*PASSES_SCALE, "concat") and follower.name in norms:
                norms.setdefault(layer.name, norms[follower.name])
    return {
        layer.name: norms[layer.name]
        for layer in layers
        if layer.norm_follows and layer.name in norms
    }


class _Row:
    """Layers one behind the other, as a chain of links: rows that branch off share their start."""

    def __init__(self, layer: Layer, before: _Row | None) -> None:
        self.layer = layer
        self.before = before
        self.length: int = 1 + (before.length if before else 0)

    def layers(self) -> list[Layer]:
        """The layers of the row, the first one first."""
        row: _Row | None = self
        found = []
        while row is not None:
            found.append(row.layer)
            row = row.before
        return found[::-1]


def rows_without_norm(layers: Sequence[Layer]) -> list[list[Layer]]:
    """Kernels one behind the other whose outputs no norm follows, in the order in which rows end.

    A norm ends a row, and so does a sum. Where branches join, the longest row goes on.

    Args:
        layers: of a whole plan.
    """
    rows: dict[str, _Row | None] = {}
    ended: list[_Row] = []
    for layer in layers:
        before = [row for name in layer.inputs if (row := rows[name])]
        longest = max(before, key=lambda row: row.length, default=None)
        if layer.is_norm or layer.norm_follows or layer.kind == "add":
            ended += before
            longest = None
        elif layer.is_hidden:
            longest = _Row(layer, longest)
        else:
            ended += [row for row in before if row is not longest]
        rows[layer.name] = longest
    last = rows[layers[-1].name]
    return [row.layers() for row in [*ended, *([last] if last else [])]]


def scale_invariant(layers: Iterable[Layer]) -> frozenset[str]:
    """Names of Keras layers whose kernel's length does not matter: a norm follows."""
    names: set[str] = set()
    for layer in layers:
        if isinstance(layer.options, BackboneOptions):
            names.update(layer.options.scale_invariant)
        elif layer.norm_follows:
            names.add(layer.name)
    return frozenset(names)


def fine_tuned(layers: Iterable[Layer], loaded: Collection[str]) -> tuple[str, ...]:
    """Beginnings of names of Keras layers of a backbone that starts from trained weights.

    Args:
        layers: of a plan.
        loaded: names of its layers that start from the weights of a run.
    """
    return tuple(
        layer.name
        for layer in layers
        if isinstance(layer.options, BackboneOptions)
        and (layer.options.pretrained or layer.name in loaded)
    )
