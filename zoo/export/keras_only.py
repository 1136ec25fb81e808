"""Rebuilds a trained network from Keras's own layers, so that it opens where zoo is missing."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo.model.layers import FixedConv2D, Maxout, PadShortcut, SamplewiseNormalization, samplewise
from zoo.model.own_activation import OwnActivation

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017.


def keras_only(model: keras.Model, full_precision: bool = False) -> keras.Model:
    """Copies a network, with its weights, to one of Keras's own layers.

    Args:
        model: a network of `zoo.model.builder.build`.
        full_precision: compute in float32, whatever the network was trained in.

    Returns:
        A model of images (batch, height, width, channels), 0 to 255, to logits (batch, classes).
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if full_precision and "dtype" in config:
            config["dtype"] = "float32"
        layer_class = keras.layers.Conv2D if isinstance(layer, FixedConv2D) else type(layer)
        return layer_class.from_config(config)

    def call(layer: keras.Layer, *inputs: Any, **options: Any) -> Any:
        if isinstance(layer, Maxout):
            *spatial, channels = inputs[0].shape[1:]
            shape = (-1, *spatial, channels // layer.pieces, layer.pieces)
            return ops.max(ops.reshape(inputs[0], shape), axis=-1)
        if isinstance(layer, PadShortcut):
            strided = inputs[0][:, :: layer.strides[0], :: layer.strides[1], :]
            missing = layer.channels - inputs[0].shape[-1]
            return ops.pad(strided, ((0, 0), (0, 0), (0, 0), (0, missing)))
        if isinstance(layer, SamplewiseNormalization):
            dtype = "float32" if full_precision else layer.compute_dtype
            return samplewise(ops.cast(inputs[0], dtype), layer.std)
        if isinstance(layer, OwnActivation) and (inlined := _inlined(layer, inputs[0])) is not None:
            return inlined
        if full_precision and isinstance(layer, keras.layers.Flatten):
            # Flatten asks for the size of the batch at run time; phones want shapes known before.
            return ops.reshape(inputs[0], (-1, math.prod(inputs[0].shape[1:])))
        if full_precision and isinstance(layer, keras.layers.Activation):
            return _activation(layer, inputs[0])
        return layer(*inputs, **options)

    clone = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in model.layers:
        if layer.weights:
            clone.get_layer(layer.name).set_weights(layer.get_weights())
    clone.trainable = False
    return clone


def _inlined(layer: OwnActivation, x: Any) -> Any:
    """A function of the user's own as the operations that it consists of; None: not of Keras's.

    Then the file needs no code of theirs.
    """
    try:
        return layer.function(x, **layer.options)
    except Exception:  # It wants arrays, or asks another framework, with errors of its own.
        return None


def _activation(layer: keras.layers.Activation, x: Any) -> Any:
    """Applies an activation, `celu` and `selu` by way of `elu`.

    For both, TensorFlow takes an exponential or a minimum, which LiteRT's int8 computes wrongly;
    `elu` is an operator of ONNX and of LiteRT.
    """
    if layer.activation is keras.activations.celu:  # Of alpha = 1, which is the same function.
        return ops.elu(x)
    if layer.activation is keras.activations.selu:
        # elu(x) - relu(x) is the part below zero.
        return SELU_SCALE * (SELU_ALPHA * ops.elu(x) + (1 - SELU_ALPHA) * ops.relu(x))
    return layer(x)
