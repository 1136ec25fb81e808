"""What about a network is allowed and likely to hurt: pairs of words that do not fit. Light.

A recipe that trains badly for one of these reasons is not wrong, so none of them stops anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import prod
from typing import Any

from zoo.plan.layer import Layer
from zoo.recipe import words
from zoo.recipe.network import Layered, stages
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import Path

Caution = tuple[Path, str]

RELU_LIKE = tuple(
    word for word, entry in words.ACTIVATIONS.items() if entry.gain2 is words.network.relu_gain2
)
SATURATING = ("tanh", "hard_tanh", "sigmoid", "hard_sigmoid", "softsign")
# Var(w) * fan_in of the words that keep it fixed.
SCALES = {
    "he_normal": 2.0,
    "he_uniform": 2.0,
    "lecun_normal": 1.0,
    "lecun_uniform": 1.0,
    "xavier": 1.0,
    "torch_uniform": 1 / 3,
    "dirac": 1 / 3,
}
# From so many layers in a row without a norm on, a wrong scale has died out or blown up.
DEEP = 5
FADES, GROWS = 0.75, 1.35
# he_normal is 1.41 times too wide for tanh.
SATURATES = 1.35


def lint(recipe: Recipe, layers: tuple[Layer, ...]) -> list[Caution]:
    """Warnings about a resolved recipe, as (path, sentence), each said once.

    Args:
        recipe: resolved.
        layers: of its plan.
    """
    found: dict[str, Caution] = {}
    parts = (_stages(recipe), _scales(recipe, layers), _training(recipe), _search(recipe))
    for path, sentence in chain.from_iterable(parts):
        found.setdefault(sentence, (path, sentence))
    return list(found.values())


def _search(recipe: Recipe) -> Iterator[Caution]:
    for index, stage in enumerate(recipe.tune.stages if recipe.tune else ()):
        if stage.epochs > recipe.train.epochs:
            yield (
                ("tune", "stages", index, "epochs"),
                f"trials of {stage.epochs} epochs are longer than the training they are for, "
                f"train.epochs: {recipe.train.epochs}",
            )


def _stages(recipe: Recipe) -> Iterator[Caution]:
    for path, stage in stages(recipe.model.stack, ("model", "stack")):
        options = stage.options
        if isinstance(options, Layered):
            yield from _stage(path, options)


def _stage(path: Path, stage: Any) -> Iterator[Caution]:
    norm, activation = stage.norm, stage.activation.word
    kernel = stage.kernel_initializer.word
    if activation == "selu" and stage.dropout:
        yield (
            (*path, "dropout"),
            "dropout changes the mean and variance that selu keeps: put a stage alpha_dropout "
            "behind it instead (Klambauer et al. 2017)",
        )
    if stage.use_bias and stage.batch_norm and stage.followed:
        yield (
            (*path, "use_bias"),
            "batch norm takes this bias away again: drop use_bias (its shift, beta, does the same)",
        )
    if activation == "selu" and norm:
        yield (
            (*path, "activation"),
            "selu normalises by itself, and only without a norm: set batch_norm: none, or take "
            "another activation (Klambauer et al. 2017)",
        )
    elif activation == "selu" and kernel not in ("lecun_normal", "xavier", "lsuv"):
        yield (
            (*path, "kernel_initializer"),
            f"selu wants kernel_initializer: lecun_normal (or auto). Received {kernel}",
        )
    if kernel in ("zeros", "ones", "Constant"):
        yield (
            (*path, "kernel_initializer"),
            f"{kernel} makes all units of a layer alike, and they stay alike: use auto",
        )


def _scales(recipe: Recipe, layers: tuple[Layer, ...]) -> Iterator[Caution]:
    """Runs of layers without a norm in which signals grow or fade by a factor a layer."""
    run: list[tuple[Layer, float]] = []
    shape = layers[0].output_shape
    for layer in layers:
        if layer.inputs and layer.kind != "add":
            continue  # The way around a block.
        if layer.kind in ("conv", "depthwise_conv", "fc"):
            if layer.options.followed:
                yield from _of_run(run)
                run = []
            else:
                run.append((layer, _factor(layer.options, _fan_in(layer, shape))))
        elif layer.kind in ("bn", "gn", "ln", "add"):
            yield from _of_run(run)
            run = []
        shape = layer.output_shape
    yield from _of_run(run)


def _of_run(run: list[tuple[Layer, float]]) -> Iterator[Caution]:
    """What layers in a row without a norm do: each to its activation, all together to signals."""
    saturated = [
        layer
        for layer, factor in run
        if factor > SATURATES and layer.options.activation.word in SATURATING
    ]
    if saturated:
        kernel, activation = _words(saturated[0])
        yield (
            (*saturated[0].path, "kernel_initializer"),
            f"{kernel} drives {activation} into saturation in {_named(saturated)}: use "
            "kernel_initializer: auto (lecun_normal), or a norm",
        )
    elif len(run) >= DEEP:
        # Saturation bounds what grows; what fades is linear.
        growth = prod(factor for _, factor in run) ** (1 / len(run))
        if not FADES <= growth <= GROWS:
            layers = [layer for layer, _ in run]
            kernel, activation = _words(layers[-1])
            yield (
                (*layers[0].path, "kernel_initializer"),
                f"in {len(run)} layers without a norm ({_named(layers)}), signals "
                f"{'fade' if growth < 1 else 'grow'} by about {growth:.2g} a layer at the start "
                f"({kernel} with {activation}): use kernel_initializer: auto, or a norm",
            )


def _named(layers: list[Layer]) -> str:
    first, last = layers[0].name, layers[-1].name
    return first if first == last else f"{first} to {last}"


def _words(layer: Layer) -> tuple[str, str]:
    """Its initializer, with its numbers, and its activation."""
    kernel = layer.options.kernel_initializer
    written = kernel.model_dump()
    told = kernel.word
    if not isinstance(written, str):
        told = f"{told} {_plain(written[told])}"
    return told, layer.options.activation.word


def _plain(options: Any) -> str:
    return ", ".join(f"{key}={value:g}" for key, value in options.items() if _number(value))


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def _fan_in(layer: Layer, before: tuple[int, ...]) -> int:
    if layer.kind == "fc":
        return prod(before)
    size: int = prod(layer.options.kernel_size)
    if layer.kind == "depthwise_conv":
        return size
    groups: int = getattr(layer.options, "groups", 1)
    return size * before[-1] // groups


def _factor(options: Any, fan_in: int) -> float:
    """What a layer multiplies the root mean square of its signals by, at the start."""
    kernel, activation = options.kernel_initializer, options.activation
    gain2 = words.ACTIVATIONS[activation.word].gain2(activation.options)
    scale = SCALES.get(kernel.word)
    if kernel.word in ("glorot_normal", "glorot_uniform"):
        units = getattr(options, "filters", 0) or getattr(options, "units", 0) or fan_in
        fan_out = units * prod(getattr(options, "kernel_size", (1,)))
        scale = 2 * fan_in / (fan_in + fan_out)
    elif kernel.word in ("gaussian", "RandomNormal"):
        scale = kernel.options.stddev**2 * fan_in
    elif kernel.word == "TruncatedNormal":
        scale = (0.88 * kernel.options.stddev) ** 2 * fan_in
    elif kernel.word == "RandomUniform":
        scale = (kernel.options.maxval - kernel.options.minval) ** 2 / 12 * fan_in
    elif kernel.word == "VarianceScaling" and kernel.options.mode == "fan_in":
        scale = kernel.options.scale
    elif kernel.word == "Orthogonal":
        scale = kernel.options.gain**2
    if scale is None:
        return 1.0  # Not known, or taken from the data.
    factor: float = (scale / gain2) ** 0.5
    return factor


def _training(recipe: Recipe) -> Iterator[Caution]:
    optimizer = recipe.train.optimizer
    blocks = [stage.options for _, stage in stages(recipe.model.stack, ())]
    penalised = any(
        getattr(block, "kernel_regularizer", None) for block in (*blocks, recipe.model.head)
    )
    decay: float = getattr(optimizer.options, "weight_decay", 0.0)
    if penalised and decay:
        yield (
            ("train", "optimizer", optimizer.word, "weight_decay"),
            "weight_decay and kernel_regularizer both shrink the kernels: keep one of them",
        )
    if recipe.train.batch_norm_batches and not any(
        getattr(block, "batch_norm", None) for block in blocks
    ):
        yield (
            ("train", "batch_norm_batches"),
            "there is no batch norm whose statistics could be taken anew: leave it out",
        )
