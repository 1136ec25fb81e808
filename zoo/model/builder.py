"""From a plan to an uncompiled `keras.Model`: images in, logits out.

The one entry for a new kind of layer is in `BUILD`. Every kernel gets an initializer object of its
own with a seed derived from (seed, layer name); weight decay and L2 touch kernels alone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import keras

from zoo import backend, seeds
from zoo.data.normalise import Normalisation
from zoo.model.initializers import depthwise, dirac, initializer
from zoo.model.layers import FixedConv2D, Maxout, PadShortcut
from zoo.plan import Layer, Plan, plan
from zoo.recipe import Recipe, words

KERNELS = ("conv", "depthwise_conv", "whiten", "fc", "head")
# What every layer's maker may need besides its own options.
Context = dict[str, Any]


def build(recipe: Recipe, num_classes: int, normalisation: Normalisation) -> keras.Model:
    """Builds the network of a resolved recipe.

    Args:
        recipe: as `recipe.load` returns it.
        num_classes: the number of logits.
        normalisation: `x * scale + offset` of the training split; it becomes the first layer, so
            that the model takes raw images.

    Returns:
        An uncompiled model: (batch, height, width, channels) with values 0 to 255, any dtype, to
        (batch, num_classes) logits in float32 (float64 under that policy).

    Raises:
        RecipeError: the stack does not fit the image.
    """
    layers = plan(recipe, num_classes).layers
    image = keras.Input(layers[0].output_shape, name=layers[0].name)
    policy = recipe.train.dtype_policy
    context: Context = {
        "seed": recipe.seed,
        "dtype": policy,
        "exact": "float64" if policy == "float64" else "float32",
        "normalisation": normalisation,
    }
    x = image
    outputs = {layers[0].name: image}
    for layer in layers[1:]:
        made = BUILD[layer.kind](layer, context)
        before = [outputs[name] for name in layer.inputs] or [x]
        x = outputs[layer.name] = made(before if len(before) > 1 else before[0])
        if layer.kind in KERNELS:
            _finish_kernel(made, layer)
    return keras.Model(image, x, name=_identifier(recipe.name))


def decayed(model: keras.Model) -> tuple[list[Any], list[Any]]:
    """Splits the trained variables into kernels, which weight decay may touch, and all others."""
    kernels = {
        id(layer.kernel) for layer in model.layers if getattr(layer, "kernel", None) is not None
    }
    variables = model.trainable_variables
    return (
        [variable for variable in variables if id(variable) in kernels],
        [variable for variable in variables if id(variable) not in kernels],
    )


def agrees(model: keras.Model, planned: Plan) -> list[str]:
    """Where a built model differs from its plan, in words; empty where it does not."""
    differences = []
    built = model.layers
    if len(built) != len(planned.layers):
        differences.append(f"{len(built)} layers built, {len(planned.layers)} planned")
    by_name = {layer.name: layer for layer in built}
    for expected in planned.layers:
        layer = by_name.get(expected.name)
        if layer is None:
            differences.append(f"{expected.name} planned, not built")
            continue
        output = layer.output.shape[1:]
        weights = (_count(layer.trainable_weights), _count(layer.non_trainable_weights))
        found = (layer.name, tuple(output), *weights)
        wanted = (expected.name, expected.output_shape, expected.trainable, expected.fixed)
        if found != wanted:
            differences.append(f"built {found}, planned {wanted}")
    return differences


def _count(variables: list[Any]) -> int:
    return sum(prod(variable.shape) for variable in variables)


def _identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _finish_kernel(made: keras.Layer, layer: Layer) -> None:
    """Sets what is no initializer of Keras's: one of our own would then be needed by the file."""
    if layer.options.kernel_initializer.word == "dirac":
        kernel = backend.to_numpy(made.kernel)
        if layer.kind == "depthwise_conv":
            *size, channels, multiplier = kernel.shape
            kernel = kernel.reshape(*size, 1, channels * multiplier)
            made.kernel.assign(dirac(kernel, channels).reshape(*size, channels, multiplier))
        else:
            made.kernel.assign(dirac(kernel, getattr(layer.options, "groups", 1)))


def _kernel(layer: Layer, context: Context) -> dict[str, Any]:
    """What convolutions and dense layers share."""
    options = layer.options
    penalty = options.kernel_regularizer
    return {
        "name": layer.name,
        "use_bias": options.use_bias,
        "kernel_initializer": initializer(
            options.kernel_initializer, context["seed"], f"{layer.name}/kernel"
        ),
        "bias_initializer": initializer(
            options.bias_initializer, context["seed"], f"{layer.name}/bias"
        ),
        "kernel_regularizer": keras.regularizers.L2(penalty.l2) if penalty else None,
    }


def _normalise(layer: Layer, context: Context) -> keras.Layer:
    # Rescaling with vectors, since Normalization breaks export to ONNX; in full precision, since
    # 16-bit floats cannot hold 0..255 times scale plus offset well.
    values: Normalisation = context["normalisation"]
    return keras.layers.Rescaling(
        values.scale, values.offset, name=layer.name, dtype=context["exact"]
    )


def _conv(layer: Layer, context: Context) -> keras.Layer:
    conv = layer.options
    maker = FixedConv2D if layer.kind == "whiten" else keras.layers.Conv2D
    return maker(
        conv.filters,
        conv.kernel_size,
        strides=conv.strides,
        padding=conv.padding,
        dilation_rate=conv.dilation_rate,
        groups=conv.groups,
        dtype=context["dtype"],
        **_kernel(layer, context),
    )


def _depthwise_conv(layer: Layer, context: Context) -> keras.Layer:
    conv, shared = layer.options, _kernel(layer, context)
    channels = layer.output_shape[-1] // conv.depth_multiplier
    shared["depthwise_initializer"] = depthwise(
        shared.pop("kernel_initializer"), channels, conv.depth_multiplier
    )
    shared["depthwise_regularizer"] = shared.pop("kernel_regularizer")
    return keras.layers.DepthwiseConv2D(
        conv.kernel_size,
        strides=conv.strides,
        padding=conv.padding,
        depth_multiplier=conv.depth_multiplier,
        dilation_rate=conv.dilation_rate,
        dtype=context["dtype"],
        **shared,
    )


def _add(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.Add(name=layer.name, dtype=context["dtype"])


def _scale(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.Rescaling(layer.options, name=layer.name, dtype=context["exact"])


def _shortcut(layer: Layer, context: Context) -> keras.Layer:
    return PadShortcut(**layer.options, name=layer.name, dtype=context["dtype"])


def _fc(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.Dense(
        layer.output_shape[0], dtype=context["dtype"], **_kernel(layer, context)
    )


def _head(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.Dense(
        layer.output_shape[0], dtype=context["exact"], **_kernel(layer, context)
    )


def _bn(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.BatchNormalization(
        name=layer.name, dtype=context["dtype"], **layer.options.model_dump()
    )


def _gn(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.GroupNormalization(
        name=layer.name, dtype=context["dtype"], **layer.options.model_dump()
    )


def _ln(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.LayerNormalization(
        name=layer.name, dtype=context["dtype"], **layer.options.model_dump()
    )


def _act(layer: Layer, context: Context) -> keras.Layer:
    word, options = layer.options.word, layer.options.options.model_dump()
    if word == "leaky_relu":
        return keras.layers.LeakyReLU(name=layer.name, dtype=context["dtype"], **options)
    function = words.ACTIVATIONS[word].keras
    return keras.layers.Activation(function, name=layer.name, dtype=context["dtype"])


def _prelu(layer: Layer, context: Context) -> keras.Layer:
    # One slope a channel: Keras's own default is one a pixel and channel, which fixes the image
    # size, and a start at 0, where it is a ReLU.
    return keras.layers.PReLU(
        alpha_initializer=keras.initializers.Constant(layer.options.negative_slope),
        shared_axes=[1, 2] if len(layer.output_shape) == 3 else None,
        name=layer.name,
        dtype=context["dtype"],
    )


def _maxout(layer: Layer, context: Context) -> keras.Layer:
    return Maxout(layer.options.pieces, name=layer.name, dtype=context["dtype"])


def _pool(layer: Layer, context: Context) -> keras.Layer:
    maker = getattr(keras.layers, words.POOLS[layer.options.word].keras)
    options = layer.options.options.model_dump()
    return maker(name=layer.name, dtype=context["dtype"], **options)


def _global_pool(layer: Layer, context: Context) -> keras.Layer:
    maker = getattr(keras.layers, words.GLOBAL_POOLS[layer.options.word].keras)
    return maker(name=layer.name, dtype=context["dtype"])


def _flatten(layer: Layer, context: Context) -> keras.Layer:
    return keras.layers.Flatten(name=layer.name, dtype=context["dtype"])


def _dropout(layer: Layer, context: Context) -> keras.Layer:
    maker = {
        "dropout": keras.layers.Dropout,
        "spatial_dropout": keras.layers.SpatialDropout2D,
        "alpha_dropout": keras.layers.AlphaDropout,
    }[layer.kind]
    seed = seeds.derive(context["seed"], layer.name)
    return maker(layer.options, seed=seed, name=layer.name, dtype=context["dtype"])


BUILD: dict[str, Callable[[Layer, Context], keras.Layer]] = {
    "normalise": _normalise,
    "conv": _conv,
    "whiten": _conv,
    "depthwise_conv": _depthwise_conv,
    "add": _add,
    "shortcut": _shortcut,
    "scale": _scale,
    "fc": _fc,
    "head": _head,
    "bn": _bn,
    "gn": _gn,
    "ln": _ln,
    "act": _act,
    "prelu": _prelu,
    "maxout": _maxout,
    "pool": _pool,
    "global_pool": _global_pool,
    "flatten": _flatten,
    "dropout": _dropout,
    "spatial_dropout": _dropout,
    "alpha_dropout": _dropout,
}
