"""What is allowed in a recipe and likely to hurt: words that do not fit each other. Light.

A recipe that trains badly for one of these reasons is not wrong, so nothing here stops a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import prod
from typing import Any

from zoo.plan import backbone_lint
from zoo.plan.graph import rows_without_norm
from zoo.plan.layer import Layer, Shape
from zoo.plan.options import ConvOptions, DepthwiseConvOptions, HiddenOptions
from zoo.recipe import words
from zoo.recipe.backbone import learns_from_batches
from zoo.recipe.kernel_stages import KernelStage
from zoo.recipe.nested_stages import stages
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import KeyPath

Caution = tuple[KeyPath, str]

SATURATING = ("tanh", "hard_tanh", "sigmoid", "hard_sigmoid", "softsign")
# Initializer -> Var(w) * fan_in, where that is fixed.
SCALES = {
    "he_normal": 2.0,
    "he_uniform": 2.0,
    "lecun_normal": 1.0,
    "lecun_uniform": 1.0,
    "xavier": 1.0,
    "torch_uniform": 1 / 3,
    "dirac": 1 / 3,
}
# With this many layers in a row without a norm, a wrong scale makes signals die out or blow up.
DEEP = 5
FADES, GROWS = 0.75, 1.35  # Factors a layer.
SATURATES = 1.35  # he_normal is 1.41 times too wide for tanh.


def lint(recipe: Recipe, layers: tuple[Layer, ...]) -> list[Caution]:
    """Warnings about a recipe, as (path, sentence), each sentence once.

    Layers that a stage repeats share its path: what is said of one of them is not said of the
    others.

    Args:
        recipe: resolved.
        layers: of its plan.
    """
    cautions: dict[object, Caution] = {}
    for path, sentence in _stages(recipe):
        cautions.setdefault(sentence, (path, sentence))
    for check in (_dilated, _scales):
        for path, sentence in check(layers):
            cautions.setdefault((check, path), (path, sentence))
    backbone = backbone_lint.cautions(recipe, layers)
    for path, sentence in chain(_training(recipe), backbone, _search(recipe)):
        cautions.setdefault(sentence, (path, sentence))
    return list(cautions.values())


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
        if isinstance(stage.options, KernelStage):
            yield from _stage(path, stage.options)


def _stage(path: KeyPath, stage: Any) -> Iterator[Caution]:
    norm, activation = stage.norm, stage.activation.word
    kernel = stage.kernel_initializer.word
    if activation == "selu" and stage.dropout:
        yield (
            (*path, "dropout"),
            "dropout changes the mean and variance that selu keeps: put a stage alpha_dropout "
            "behind it instead (Klambauer et al. 2017)",
        )
    if stage.use_bias and stage.batch_norm and stage.norm_follows:
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


def _dilated(layers: tuple[Layer, ...]) -> Iterator[Caution]:
    """Cautions for kernels of which all but the middle lies in the padding, at every position.

    Inputs of one pixel are told once, at the first layer that has one.
    """
    shapes = {layer.name: layer.output_shape for layer in layers}
    lonely: list[tuple[Layer, str]] = []
    for layer in layers:
        if not isinstance(layer.options, ConvOptions | DepthwiseConvOptions):
            continue
        for axis, side in enumerate(shapes[layer.inputs[0]][:2]):
            dilation = layer.options.dilation_rate[axis]
            if layer.options.kernel_size[axis] == 1 or dilation < side:
                continue
            if dilation == 1:
                lonely.append((layer, ("high", "wide")[axis]))
            else:
                yield (
                    (*layer.path, "dilation_rate"),
                    f"{layer.name}: points of the kernel are {dilation} pixels apart, as many as "
                    "its input has, or more: all but the middle lies in the padding. Use less than "
                    f"{side}",
                )
            break
    if lonely:
        layer, way = lonely[0]
        more = f", and so are those of {len(lonely) - 1} more layers" if len(lonely) > 1 else ""
        yield (
            (*layer.path, "kernel_size"),
            f"{layer.name}: its input is one pixel {way}{more}: all but the middle of the kernel "
            "lies in the padding. Stride or pool less before it, take a larger data.image_size, or "
            "kernel_size: 1",
        )


# A layer without a norm, its options, and the factor by which it scales signals.
Scaled = tuple[Layer, HiddenOptions, float]


def _scales(layers: tuple[Layer, ...]) -> Iterator[Caution]:
    """Cautions for layers in a row without a norm in which signals grow or fade."""
    shapes = {layer.name: layer.output_shape for layer in layers}
    for row in rows_without_norm(layers):
        yield from _row_cautions(
            [
                (layer, layer.options, _signal_factor(layer.options, shapes[layer.inputs[0]]))
                for layer in row
                if isinstance(layer.options, HiddenOptions)
            ]
        )


def _row_cautions(row: list[Scaled]) -> Iterator[Caution]:
    """Cautions for one such row: about single activations, else about the row as a whole."""
    saturated = [
        (layer, options)
        for layer, options, factor in row
        if factor > SATURATES and options.activation.word in SATURATING
    ]
    if saturated:
        (layer, options), *_ = saturated
        yield (
            (*layer.path, "kernel_initializer"),
            f"{_initializer(options)} drives {options.activation.word} into saturation in "
            f"{_named([layer for layer, _ in saturated])}: use "
            "kernel_initializer: auto (lecun_normal), or a norm",
        )
    elif len(row) >= DEEP:
        # Saturation bounds signals that grow; signals that fade meet a linear function.
        growth = prod(factor for *_, factor in row) ** (1 / len(row))
        if not FADES <= growth <= GROWS:
            layers = [layer for layer, *_ in row]
            options = row[-1][1]
            yield (
                (*layers[0].path, "kernel_initializer"),
                f"in {len(row)} layers without a norm ({_named(layers)}), signals "
                f"{'fade' if growth < 1 else 'grow'}: each layer multiplies their std by about "
                f"{growth:.2g} at the start "
                f"({_initializer(options)} with {options.activation.word}): "
                "use kernel_initializer: auto, or a norm",
            )


def _named(layers: list[Layer]) -> str:
    first, last = layers[0].name, layers[-1].name
    return first if first == last else f"{first} to {last}"


def _initializer(options: HiddenOptions) -> str:
    """The word of the kernel's initializer, with its numbers."""
    kernel = options.kernel_initializer
    numbers = ", ".join(
        f"{key}={value:g}"
        for key, value in kernel.options.model_dump().items()
        if isinstance(value, int | float)
    )
    return f"{kernel.word} {numbers}" if type(kernel.options).model_fields else kernel.word


def _signal_factor(options: HiddenOptions, before: Shape) -> float:
    """Factor by which a layer scales the root mean square of its signals at the start.

    It is sqrt(Var(w) * fan_in / gain2); 1 where the variance is unknown or taken from the data.

    Args:
        options: of the layer.
        before: shape of its input.
    """
    kernel, activation = options.kernel_initializer, options.activation
    if activation.part:
        return 1.0
    fan_in, fan_out = options.fans(before)
    gain2 = words.ACTIVATIONS[activation.word].gain2(activation.options)
    scale = SCALES.get(kernel.word)
    if kernel.word in ("glorot_normal", "glorot_uniform"):
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
    return 1.0 if scale is None else float((scale / gain2) ** 0.5)


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
    if recipe.train.batch_norm_batches and not learns_from_batches(recipe.model):
        yield (
            ("train", "batch_norm_batches"),
            "there is no batch norm whose statistics could be estimated again: leave it out",
        )
