"""Max pooling on JAX whose gradient costs no more than its forward pass.

XLA computes the gradient of a max pool by `select-and-scatter`. In airbench94 on an H100 that took
1.7 ms of a step of 5.0 ms. Where windows do not overlap, the place of each maximum is all that the
gradient needs: one byte a window.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax

MOST_PLACES = 256  # In a window: a place is kept in a byte.


def accelerate(layer: keras.layers.MaxPooling2D) -> keras.layers.MaxPooling2D:
    """Gives a layer the faster gradient, if its windows do not overlap and are not huge.

    The layer stays Keras's own: it is saved, loaded and copied as any other.

    Args:
        layer: of images with channels last.

    Returns:
        The same layer.
    """
    keras_call = layer.call

    def call(inputs: Any) -> Any:
        if _is_tiled(layer, inputs.shape):
            return max_pool(inputs, tuple(layer.pool_size), tuple(inputs.shape[1:3]))
        return keras_call(inputs)

    layer.call = call
    return layer


def _is_tiled(layer: keras.layers.MaxPooling2D, shape: tuple[int | None, ...]) -> bool:
    """Whether windows of at most `MOST_PLACES` tile the image, or its upper left part."""
    if tuple(layer.strides) != tuple(layer.pool_size) or layer.data_format != "channels_last":
        return False
    if np.prod(layer.pool_size) > MOST_PLACES:
        return False
    sides = list(zip(shape[1:3], layer.pool_size, strict=True))
    if any(side is None or side < window for side, window in sides):
        return False
    return layer.padding == "valid" or all(side % window == 0 for side, window in sides)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool(images: Any, window: tuple[int, int], size: tuple[int, int]) -> Any:
    """The maxima of windows that do not overlap.

    Args:
        images: float (batch, height, width, channels).
        window: rows and columns of a window. Rows and columns that fill no window are left out.
        size: (height, width).

    Returns:
        (batch, height // rows, width // columns, channels). A gradient goes to the first maximum of
        a window in reading order, as in Keras.
    """
    return _maxima(images, window)[0]


def _maxima(images: Any, window: tuple[int, int]) -> tuple[Any, Any]:
    """The maxima, and the place of each in its window in reading order, uint8."""
    rows, columns = window
    height, width = images.shape[1] // rows * rows, images.shape[2] // columns * columns
    places = [
        images[:, row:height:rows, column:width:columns]
        for row in range(rows)
        for column in range(columns)
    ]
    maxima, first = places[0], jnp.zeros(places[0].shape, jnp.uint8)
    for number, values in enumerate(places[1:], 1):
        first = jnp.where(values > maxima, jnp.uint8(number), first)
        maxima = jnp.maximum(values, maxima)
    return maxima, first


def _forward(images: Any, window: tuple[int, int], size: tuple[int, int]) -> tuple[Any, Any]:
    return _maxima(images, window)


def _backward(
    window: tuple[int, int], size: tuple[int, int], first: Any, gradient: Any
) -> tuple[Any]:
    (rows, columns), (height, width) = window, size
    # XLA would compute the gradient anew for every place of a window, with all that led to it.
    gradient = lax.optimization_barrier(gradient)
    # Pixels that fill no window get windows of zeros, cut off at the end: one pass writes it all.
    high, wide = -(-height // rows), -(-width // columns)
    missing = ((0, 0), (0, high - gradient.shape[1]), (0, wide - gradient.shape[2]), (0, 0))
    gradient, first = jnp.pad(gradient, missing), jnp.pad(first, missing)
    # (batch, high, rows, wide, columns, channels): the image, cut into windows.
    numbers = np.arange(rows * columns, dtype=np.uint8).reshape(1, 1, rows, 1, columns, 1)
    is_maximum = first[:, :, None, :, None] == numbers
    spread = jnp.where(is_maximum, gradient[:, :, None, :, None], 0)
    spread = spread.reshape(len(gradient), high * rows, wide * columns, gradient.shape[3])
    return (spread[:, :height, :width],)


max_pool.defvjp(_forward, _backward)
