"""Batch norm and max pooling of Keras, computed faster in training.

A layer stays an instance of Keras's own class: only the method `call` of the instance is replaced.
So files, copies and exports name and hold Keras's layer, and predictions keep their bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from zoo import backend


def accelerate(layer: keras.Layer) -> keras.Layer:
    """Lets a layer use a faster computation in training, where there is one.

    Args:
        layer: of any class. With TensorFlow on a CPU, `BatchNormalization` and `MaxPooling2D` are
            changed; with JAX, `MaxPooling2D` (zoo/model/jax_pooling.py), and on a GPU
            `BatchNormalization` (zoo/model/jax_batch_norm.py).

    Returns:
        The same layer.
    """
    is_batch_norm = type(layer) is keras.layers.BatchNormalization
    if keras.backend.backend() == "jax":
        if type(layer) is keras.layers.MaxPooling2D:
            from zoo.model import jax_pooling

            return jax_pooling.accelerate(layer)
        if is_batch_norm and backend.on_gpu():
            _accelerate_batch_norm(layer, _jax_batch_norm)
        return layer
    if keras.backend.backend() != "tensorflow" or backend.on_gpu():
        return layer
    if is_batch_norm:
        _accelerate_batch_norm(layer, _fused_batch_norm)
    # oneDNN, which TensorFlow uses on some processors, has a fast gradient of its own.
    elif type(layer) is keras.layers.MaxPooling2D and not backend.has_onednn():
        _accelerate_max_pool(layer)
    return layer


def _accelerate_batch_norm(layer: Any, normalise: Callable[[Any, Any], Any]) -> None:
    """Computes a training step of batch norm with `normalise(layer, inputs)`, where it can be used.

    Keras composes it of a dozen operations, each of which reads or writes the whole activation.
    """
    keras_call = layer.call

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if training and layer.trainable and mask is None and _can_fuse(layer, inputs):
            return normalise(layer, inputs)
        return keras_call(inputs, training=training, mask=mask)

    layer.call = call


def _can_fuse(layer: Any, inputs: Any) -> bool:
    """Whether a faster operation can compute what the layer computes.

    It takes images with a known number of channels, which come last, and computes in float32.
    """
    return (
        len(inputs.shape) == 4
        and layer.axis in (-1, 3)
        and inputs.shape[-1] is not None
        and not layer.renorm
        and not layer.synchronized
        and layer.variable_dtype == "float32"
        and keras.backend.result_type(inputs.dtype, "float32") == "float32"
    )


def _fused_batch_norm(layer: Any, inputs: Any) -> Any:
    """Normalises with the statistics of the batch and updates the moving ones, as Keras does.

    Args:
        layer: built.
        inputs: (batch, height, width, channels).

    Returns:
        The normalised inputs, in the layer's compute dtype.
    """
    import tensorflow as tf

    # Keras computes in float32 under 16-bit policies too.
    inputs = ops.cast(inputs, "float32")
    channels = inputs.shape[-1]
    outputs, mean, unbiased_variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones([channels]),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros([channels]),
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=layer.epsilon,
        is_training=True,
    )
    # The operation divides the sum of squares by n - 1 (by 1 where n is 1), Keras by n.
    size = tf.cast(tf.size(inputs) // channels, "float32")
    variance = unbiased_variance * (tf.maximum(size - 1.0, 1.0) / size)
    _update_moving(layer, mean, variance)
    return ops.cast(outputs, layer.compute_dtype)


def _jax_batch_norm(layer: Any, inputs: Any) -> Any:
    """Does what `_fused_batch_norm` does, on JAX."""
    from zoo.model.jax_batch_norm import batch_norm

    channels = inputs.shape[-1]
    gamma = ops.convert_to_tensor(layer.gamma) if layer.scale else ops.ones([channels])
    beta = ops.convert_to_tensor(layer.beta) if layer.center else ops.zeros([channels])
    outputs, mean, variance = batch_norm(inputs, gamma, beta, layer.epsilon)
    _update_moving(layer, mean, variance)
    return ops.cast(outputs, layer.compute_dtype)


def _update_moving(layer: Any, mean: Any, variance: Any) -> None:
    """Moves the moving statistics of a layer towards those of a batch, as Keras does."""
    for moving, of_batch in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + of_batch * (1.0 - layer.momentum))


def _accelerate_max_pool(layer: Any) -> None:
    """Gives max pooling without overlaps a gradient of vectorised operations.

    TensorFlow's own gradient searches each window again, value by value.
    """
    keras_call = layer.call

    def call(inputs: Any) -> Any:
        if _divides(layer, inputs.shape):
            return _max_pool(inputs, layer.pool_size, keras_call)
        return keras_call(inputs)

    layer.call = call


def _divides(layer: Any, shape: tuple[int | None, ...]) -> bool:
    """Whether windows neither overlap nor reach over an edge, nor leave a pixel out."""
    return (
        tuple(layer.strides) == tuple(layer.pool_size)
        and layer.data_format == "channels_last"
        and all(
            length is not None and length % size == 0
            for length, size in zip(shape[1:3], layer.pool_size, strict=True)
        )
        and shape[3] is not None
    )


def _max_pool(images: Any, pool_size: tuple[int, int], pool: Any) -> Any:
    """Max pooling whose gradient goes to the first maximum of a window, row by row.

    Args:
        images: (batch, height, width, channels), height and width multiples of `pool_size`.
        pool_size: rows and columns of a window.
        pool: computes the maxima.
    """
    import tensorflow as tf

    _, height, width, channels = images.shape
    rows, columns = pool_size
    # Windows side by side within each row of pixels, then the maxima of rows one above the other.
    in_row = (-1, columns, channels)
    in_column = (-1, rows, width // columns * channels)

    def pooled(images: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            with tf.name_scope("max_pool_gradient"):
                pixels = tf.unstack(tf.reshape(images, in_row), axis=1)
                of_rows = _largest(pixels)
                values = tf.unstack(tf.reshape(of_rows, in_column), axis=1)
                upstream = tf.reshape(upstream, (-1, in_column[-1]))
                upstream = tf.reshape(_to_first_maximum(values, upstream), (-1, channels))
                upstream = _to_first_maximum(pixels, upstream)
                return tf.reshape(upstream, (-1, height, width, channels))

        return pool(images), gradient

    return tf.custom_gradient(pooled)(images)


def _largest(values: list[Any]) -> Any:
    largest = values[0]
    for each in values[1:]:
        largest = ops.maximum(largest, each)
    return largest


def _to_first_maximum(values: list[Any], upstream: Any) -> Any:
    """Hands a gradient on to the first of the largest values.

    Args:
        values: tensors of shape (n, channels).
        upstream: gradient of their maximum, (n, channels).

    Returns:
        Gradients of the values, stacked: (n, len(values), channels).
    """
    import tensorflow as tf

    gradients = []
    for index, each in enumerate(values[:-1]):
        # A product with 0 or 1 is faster than `tf.where`, which is not vectorised.
        share = upstream * tf.cast(each >= _largest(values[index + 1 :]), upstream.dtype)
        gradients.append(share)
        upstream = upstream - share
    return tf.stack([*gradients, upstream], axis=1)
