"""Builds an uncompiled `keras.Model` from a plan: images in, logits out.

A new kind of layer is a new entry of `BUILD`. Every kernel has an initializer object of its own,
with a seed derived from the recipe's seed and the layer's name. Weight decay and L2 penalties touch
kernels alone.
"""

from __future__ import annotations

from math import prod
from typing import Any

import keras

from zoo.backend import devices
from zoo.datasets.normalise import Normalisation
from zoo.model import backbone, mirrored_layers
from zoo.model.fast_layers import accelerate
from zoo.model.layer_makers import BUILD, Context, finish_kernel
from zoo.model.parts import kernels, parts
from zoo.plan import Plan, plan
from zoo.plan.options import BackboneOptions, KernelOptions
from zoo.recipe import Recipe


def build(
    recipe: Recipe,
    num_classes: int,
    normalisation: Normalisation,
    planned: Plan | None = None,
) -> keras.Model:
    """Builds the network of a resolved recipe.

    Args:
        recipe: as `recipe.load` returns it.
        num_classes: number of logits.
        normalisation: `x * scale + offset` of the training split; it becomes the first layer, so
            that the model takes raw images.
        planned: the recipe's plan for as many classes, where the caller has it.

    Returns:
        An uncompiled model: (batch, height, width, channels) with values 0 to 255, any dtype, to
        (batch, num_classes) logits in float32 (float64 under that policy).

    Raises:
        RecipeError: the stack does not fit the image.
    """
    layers = (planned or plan(recipe, num_classes)).layers
    image = keras.Input(layers[0].output_shape, name=layers[0].name)
    policy = recipe.train.dtype_policy
    context = Context(
        seed=recipe.seed,
        policy=policy,
        exact="float64" if policy == "float64" else "float32",
        normalisation=normalisation,
    )
    outputs = {layers[0].name: image}
    for layer in layers[1:]:
        inputs = [outputs[name] for name in layer.inputs]
        if isinstance(layer.options, BackboneOptions):
            outputs[layer.name] = backbone.apply(inputs[0], layer.options, recipe.seed, policy)
            continue
        keras_layer = accelerate(BUILD[layer.kind](layer, layer.options, context))
        outputs[layer.name] = keras_layer(inputs if len(inputs) > 1 else inputs[0])
        if isinstance(layer.options, KernelOptions):
            finish_kernel(keras_layer, layer.options, recipe.seed)
    model = keras.Model(image, outputs[layers[-1].name], name=_identifier(recipe.name))
    if devices.strategy() is not None:
        mirrored_layers.look_beyond(model)
    for layer in layers:
        for part in parts(model, layer) if layer.frozen else ():
            part.trainable = False
    return model


def decayed(model: keras.Model) -> tuple[list[Any], list[Any]]:
    """The trained variables in two lists: kernels, which weight decay may touch, and all others."""
    found = {id(kernel) for layer in model.layers for kernel in kernels(layer)}
    variables = model.trainable_variables
    return (
        [variable for variable in variables if id(variable) in found],
        [variable for variable in variables if id(variable) not in found],
    )


def agrees(model: keras.Model, planned: Plan) -> list[str]:
    """Describes where a built model differs from its plan; empty where it does not."""
    differences = []
    built_layers = {layer.name: parts(model, layer) for layer in planned.layers}
    count = sum(map(len, built_layers.values()))
    if len(model.layers) != count:
        differences.append(f"{len(model.layers)} layers built, {count} planned")
    for expected in planned.layers:
        layers = built_layers[expected.name]
        if not layers:
            differences.append(f"{expected.name} planned, not built")
            continue
        trained = sum(_count(layer.trainable_weights) for layer in layers)
        fixed = sum(_count(layer.non_trainable_weights) for layer in layers)
        counts: tuple[int, ...] = (trained, fixed)
        expected_counts: tuple[int, ...] = (expected.trainable, expected.fixed)
        if expected.frozen:  # A model file of a later epoch holds it as trained.
            counts, expected_counts = (sum(counts),), (expected.parameters,)
        built = (layers[-1].name, tuple(layers[-1].output.shape[1:]), *counts)
        wanted = (expected.name, expected.output_shape, *expected_counts)
        if built != wanted:
            differences.append(f"built {built}, planned {wanted}")
    return differences


def _count(variables: list[Any]) -> int:
    return sum(prod(variable.shape) for variable in variables)


def _identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
