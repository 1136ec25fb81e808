"""Layers that must look beyond their own rows, on the devices of TensorFlow's MirroredStrategy.

Batch norm takes the statistics of the whole batch. What draws random numbers draws them for the
whole batch, on every device alike, and takes those of its rows. So several devices give what one
gives. Layers stay instances of Keras's classes, with Keras's options: only the method `call` of an
instance is replaced, and files hold nothing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from zoo.backend import devices
from zoo.model.freezing import flat_layers

# Whose outputs are the inputs times what was drawn, and all others that draw.
FACTORS = (keras.layers.Dropout,)
DRAWS = (keras.layers.AlphaDropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise)

_device = threading.local()  # MirroredStrategy traces each device in a thread of its own.


def number_of_device() -> int:
    """The number of the device that is being traced."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return int(tf.get_static_value(context.replica_id_in_sync_group))


@contextmanager
def sharing(number: int | None) -> Iterator[None]:
    """Within it, this device takes its share of a batch.

    Args:
        number: of the device; None where it takes the whole batch.
    """
    _device.number = number
    try:
        yield
    finally:
        _device.number = None


def _number() -> int | None:
    return getattr(_device, "number", None)


def look_beyond(model: keras.Model) -> None:
    """Lets the layers of a model look beyond the rows of a device.

    Args:
        model: built; the layers of models inside of it change, too.
    """
    for layer in flat_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.call = _synchronised(layer, layer.call)
        elif isinstance(layer, FACTORS):
            layer.call = _times_draws_of_all(layer, layer.call)
        elif isinstance(layer, DRAWS):
            layer.call = _drawn_for_all(layer.call)


def _synchronised(layer: Any, keras_call: Callable[..., Any]) -> Callable[..., Any]:
    own = layer.synchronized  # Kept here: while one device waits for another, that one sets it.

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training or not layer.trainable or _number() is None:
            return keras_call(inputs, training=training, mask=mask)
        layer.synchronized = True
        try:
            return type(layer).call(layer, inputs, training=training, mask=mask)
        finally:
            layer.synchronized = own

    return call


def _times_draws_of_all(layer: Any, keras_call: Callable[..., Any]) -> Callable[..., Any]:
    def call(inputs: Any, training: bool = False) -> Any:
        import tensorflow as tf

        number = _number()
        if not training or number is None or not layer.rate:
            return keras_call(inputs, training=training)
        rows = inputs.shape[0]
        # A draw that many values share need be made once; see Dropout's `noise_shape`.
        given = layer.noise_shape or [None] * len(inputs.shape)
        sizes = [
            size if drawn is None else drawn
            for size, drawn in zip(inputs.shape, given, strict=True)
        ]
        ones = tf.ones((rows * devices.current().count, *sizes[1:]), inputs.dtype)
        factors = keras_call(ones, training=True)
        return inputs * factors[number * rows : (number + 1) * rows]

    return call


def _drawn_for_all(keras_call: Callable[..., Any]) -> Callable[..., Any]:
    def call(inputs: Any, training: bool = False) -> Any:
        import tensorflow as tf

        number = _number()
        if not training or number is None:
            return keras_call(inputs, training=training)
        rows = inputs.shape[0]
        before, after = number * rows, (devices.current().count - number - 1) * rows
        edges = [[before, after], *([0, 0] for _ in inputs.shape[1:])]
        return keras_call(tf.pad(inputs, edges), training=True)[before : before + rows]

    return call
