"""A trained network of Keras's own layers alone, which opens where zoo is not installed."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.model.layers import FixedConv2D, Maxout, PadShortcut


def plain(model: keras.Model, full_precision: bool = False) -> keras.Model:
    """The same function of images, from the same weights.

    Args:
        model: as `zoo.model.builder.build` makes it.
        full_precision: compute in float32 whatever the network was trained in.

    Returns:
        (batch, height, width, channels), 0 to 255, to logits (batch, classes).
    """

    def copied(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if full_precision and "dtype" in config:
            config["dtype"] = "float32"
        kind = keras.layers.Conv2D if isinstance(layer, FixedConv2D) else type(layer)
        return kind.from_config(config)

    def called(layer: keras.Layer, *inputs: Any, **options: Any) -> Any:
        if isinstance(layer, Maxout):
            *rest, channels = inputs[0].shape[1:]
            shape = (-1, *rest, channels // layer.pieces, layer.pieces)
            return ops.max(ops.reshape(inputs[0], shape), axis=-1)
        if isinstance(layer, PadShortcut):
            kept = inputs[0][:, :: layer.strides[0], :: layer.strides[1], :]
            missing = layer.channels - inputs[0].shape[-1]
            return ops.pad(kept, ((0, 0), (0, 0), (0, 0), (0, missing)))
        return layer(*inputs, **options)

    made = keras.models.clone_model(model, clone_function=copied, call_function=called)
    for layer in model.layers:
        if layer.weights:
            made.get_layer(layer.name).set_weights(layer.get_weights())
    made.trainable = False
    return made
