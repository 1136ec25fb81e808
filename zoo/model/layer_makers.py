"""Makes the Keras layer of each layer of a plan. A new kind of layer is a new entry of `BUILD`.

Every kernel has an initializer object of its own, with a seed derived from the recipe's seed and
the layer's name. L2 penalties touch kernels alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from zoo import backend, seeds
from zoo.datasets.normalise import Normalisation
from zoo.model.initializers import depthwise, dirac, initializer
from zoo.model.layers import FixedConv2D, Maxout, PadShortcut, SamplewiseNormalization
from zoo.plan import Layer
from zoo.plan.options import (
    ActivationOptions,
    ConvOptions,
    DepthwiseConvOptions,
    DropoutOptions,
    FcOptions,
    GateActivationOptions,
    GateConvOptions,
    GlobalPoolOptions,
    HeadOptions,
    KernelOptions,
    MaxoutOptions,
    NormOptions,
    Options,
    PoolOptions,
    PreluOptions,
    RescaleOptions,
    ScaleOptions,
    ShortcutOptions,
    StochasticDepthOptions,
    WhitenOptions,
)
from zoo.plan.own_layers import OwnLayerOptions
from zoo.plugins import keras_parts, measuring
from zoo.plugins.part import values_of
from zoo.recipe import words
from zoo.recipe.fields import Choice


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a layer may need besides its own options.

    Attributes:
        seed: of the recipe.
        policy: Keras dtype policy of most layers.
        exact: dtype of layers that stay in full precision.
        normalisation: of the training split.
    """

    seed: int
    policy: str
    exact: str
    normalisation: Normalisation


def finish_kernel(layer: keras.Layer, options: KernelOptions, seed: int) -> None:
    """Assigns values of `dirac` and of initializers of the user's own.

    A model file with an initializer that is not Keras's would need its code.

    Args:
        layer: built.
        options: of the layer.
        seed: of the recipe.
    """
    for name in ("kernel", "bias"):
        choice, variable = getattr(options, f"{name}_initializer"), getattr(layer, name, None)
        if choice.part and variable is not None:
            path = f"{layer.name}/{name}"
            variable.assign(keras_parts.first_values(choice, seed, path, tuple(variable.shape)))
    if options.kernel_initializer.word != "dirac":
        return
    kernel = backend.to_numpy(layer.kernel)
    if isinstance(options, DepthwiseConvOptions):
        *size, channels, multiplier = kernel.shape
        flat = kernel.reshape(*size, 1, channels * multiplier)
        layer.kernel.assign(dirac(flat, channels).reshape(kernel.shape))
    else:
        layer.kernel.assign(dirac(kernel, getattr(options, "groups", 1)))


def _kernel(layer: Layer, options: KernelOptions, context: Context) -> dict[str, Any]:
    """Arguments that convolutions and dense layers share."""
    return {
        "name": layer.name,
        "use_bias": options.use_bias,
        "kernel_initializer": initializer(
            options.kernel_initializer, context.seed, f"{layer.name}/kernel"
        ),
        "bias_initializer": initializer(
            options.bias_initializer, context.seed, f"{layer.name}/bias"
        ),
        "kernel_regularizer": _penalty(options),
    }


def _penalty(options: KernelOptions) -> keras.Regularizer | None:
    regularizer = options.kernel_regularizer
    if regularizer is None:
        return None
    if regularizer.l1:
        return keras.regularizers.L1L2(l1=regularizer.l1, l2=regularizer.l2)
    return keras.regularizers.L2(regularizer.l2)


def _normalise(layer: Layer, options: Options, context: Context) -> keras.Layer:
    if isinstance(options, RescaleOptions):
        scale, offset = list(options.scale), list(options.offset)
        return keras.layers.Rescaling(scale, offset, name=layer.name, dtype=context.exact)
    # Rescaling with vectors, since Normalization breaks export to ONNX; in full precision, since
    # 16-bit floats cannot hold 0..255 times scale plus offset well.
    values = context.normalisation
    if values.samplewise:
        return SamplewiseNormalization(
            values.kind == "samplewise_meanstd", name=layer.name, dtype=context.exact
        )
    return keras.layers.Rescaling(values.scale, values.offset, name=layer.name, dtype=context.exact)


def _conv(layer: Layer, options: ConvOptions, context: Context) -> keras.Layer:
    return keras.layers.Conv2D(
        options.filters,
        options.kernel_size,
        strides=options.strides,
        padding=options.padding,
        dilation_rate=options.dilation_rate,
        groups=options.groups,
        dtype=context.policy,
        **_kernel(layer, options, context),
    )


def _whiten(layer: Layer, options: WhitenOptions, context: Context) -> keras.Layer:
    return FixedConv2D(
        options.filters,
        options.kernel_size,
        dtype=context.policy,
        **_kernel(layer, options, context),
    )


def _gate_conv(layer: Layer, options: GateConvOptions, context: Context) -> keras.Layer:
    arguments = _kernel(layer, options, context)
    return keras.layers.Conv2D(options.filters, 1, dtype=context.policy, **arguments)


def _depthwise_conv(layer: Layer, options: DepthwiseConvOptions, context: Context) -> keras.Layer:
    arguments = _kernel(layer, options, context)
    channels = layer.output_shape[-1] // options.depth_multiplier
    arguments["depthwise_initializer"] = depthwise(
        arguments.pop("kernel_initializer"), channels, options.depth_multiplier
    )
    arguments["depthwise_regularizer"] = arguments.pop("kernel_regularizer")
    return keras.layers.DepthwiseConv2D(
        options.kernel_size,
        strides=options.strides,
        padding=options.padding,
        depth_multiplier=options.depth_multiplier,
        dilation_rate=options.dilation_rate,
        dtype=context.policy,
        **arguments,
    )


def _add(layer: Layer, options: Options, context: Context) -> keras.Layer:
    return keras.layers.Add(name=layer.name, dtype=context.policy)


def _concat(layer: Layer, options: Options, context: Context) -> keras.Layer:
    return keras.layers.Concatenate(name=layer.name, dtype=context.policy)


def _multiply(layer: Layer, options: Options, context: Context) -> keras.Layer:
    return keras.layers.Multiply(name=layer.name, dtype=context.policy)


def _repeat(layer: Layer, options: Options, context: Context) -> keras.Layer:
    return keras.layers.Concatenate(name=layer.name, dtype=context.exact)


def _scale(layer: Layer, options: ScaleOptions, context: Context) -> keras.Layer:
    return keras.layers.Rescaling(options.factor, name=layer.name, dtype=context.exact)


def _shortcut(layer: Layer, options: ShortcutOptions, context: Context) -> keras.Layer:
    return PadShortcut(options.strides, options.channels, name=layer.name, dtype=context.policy)


def _fc(layer: Layer, options: FcOptions, context: Context) -> keras.Layer:
    arguments = _kernel(layer, options, context)
    return keras.layers.Dense(options.units, dtype=context.policy, **arguments)


def _head(layer: Layer, options: HeadOptions, context: Context) -> keras.Layer:
    arguments = _kernel(layer, options, context)
    return keras.layers.Dense(options.units, dtype=context.exact, **arguments)


def _norm(layer: Layer, options: NormOptions, context: Context) -> keras.Layer:
    make = {
        "bn": keras.layers.BatchNormalization,
        "gn": keras.layers.GroupNormalization,
        "ln": keras.layers.LayerNormalization,
    }[layer.kind]
    return make(name=layer.name, dtype=context.policy, **options.norm.model_dump())


def _act(
    layer: Layer, options: ActivationOptions | GateActivationOptions, context: Context
) -> keras.Layer:
    if options.activation.part:
        return _own(layer, options.activation, context)
    word, arguments = options.activation.word, options.activation.options.model_dump()
    if word == "leaky_relu":
        return keras.layers.LeakyReLU(name=layer.name, dtype=context.policy, **arguments)
    function = words.ACTIVATIONS[word].keras
    return keras.layers.Activation(function, name=layer.name, dtype=context.policy)


def _own(layer: Layer, choice: Choice, context: Context) -> keras.Layer:
    """A layer of the user's own, or one that applies a function of theirs."""
    values = values_of(choice.part, choice.options)
    return measuring.make(choice.part, values, layer.name, context.policy)


def _own_layer(layer: Layer, options: OwnLayerOptions, context: Context) -> keras.Layer:
    return _own(layer, options.choice, context)


def _prelu(layer: Layer, options: PreluOptions, context: Context) -> keras.Layer:
    # One slope a channel: Keras's own default is one a pixel and channel, which fixes the image
    # size, and a start at 0, where it is a ReLU.
    return keras.layers.PReLU(
        alpha_initializer=keras.initializers.Constant(options.negative_slope),
        shared_axes=[1, 2] if len(layer.output_shape) == 3 else None,
        name=layer.name,
        dtype=context.policy,
    )


def _maxout(layer: Layer, options: MaxoutOptions, context: Context) -> keras.Layer:
    return Maxout(options.pieces, name=layer.name, dtype=context.policy)


def _pool(layer: Layer, options: PoolOptions, context: Context) -> keras.Layer:
    make = getattr(keras.layers, words.POOLS[options.word].keras)
    return make(
        pool_size=options.pool_size,
        strides=options.strides,
        padding=options.padding,
        name=layer.name,
        dtype=context.policy,
    )


def _global_pool(layer: Layer, options: GlobalPoolOptions, context: Context) -> keras.Layer:
    make = getattr(keras.layers, words.GLOBAL_POOLS[options.word].keras)
    return make(keepdims=options.keepdims, name=layer.name, dtype=context.policy)


def _flatten(layer: Layer, options: Options, context: Context) -> keras.Layer:
    return keras.layers.Flatten(name=layer.name, dtype=context.policy)


def _dropout(layer: Layer, options: DropoutOptions, context: Context) -> keras.Layer:
    make = {
        "dropout": keras.layers.Dropout,
        "spatial_dropout": keras.layers.SpatialDropout2D,
        "alpha_dropout": keras.layers.AlphaDropout,
    }[layer.kind]
    seed = seeds.derive(context.seed, layer.name)
    return make(options.rate, seed=seed, name=layer.name, dtype=context.policy)


def _stochastic_depth(
    layer: Layer, options: StochasticDepthOptions, context: Context
) -> keras.Layer:
    # Keras's dropout with one draw an image: a file needs no code of ours.
    draws = (None, *(1 for _ in layer.output_shape))
    seed = seeds.derive(context.seed, layer.name)
    return keras.layers.Dropout(
        options.rate, noise_shape=draws, seed=seed, name=layer.name, dtype=context.policy
    )


# Kind of layer -> what makes it, from the layer, its options (of the kind's class) and the context.
BUILD: dict[str, Callable[[Layer, Any, Context], keras.Layer]] = {
    "normalise": _normalise,
    "conv": _conv,
    "whiten": _whiten,
    "depthwise_conv": _depthwise_conv,
    "add": _add,
    "repeat": _repeat,
    "shortcut": _shortcut,
    "concat": _concat,
    "multiply": _multiply,
    "gate_conv": _gate_conv,
    "gate_act": _act,
    "stochastic_depth": _stochastic_depth,
    "scale": _scale,
    "fc": _fc,
    "head": _head,
    "bn": _norm,
    "gn": _norm,
    "ln": _norm,
    "act": _act,
    "own_layer": _own_layer,
    "prelu": _prelu,
    "maxout": _maxout,
    "pool": _pool,
    "global_pool": _global_pool,
    "flatten": _flatten,
    "dropout": _dropout,
    "spatial_dropout": _dropout,
    "alpha_dropout": _dropout,
}
