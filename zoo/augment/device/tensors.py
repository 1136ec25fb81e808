"""Shapes, look-ups and masks of images on the device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


def per_image(values: Tensor) -> Tensor:
    """Reshapes (batch,) to (batch, 1, 1, 1), which broadcasts against images."""
    return values[:, None, None, None]


def choose(flags: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Takes images or pixels from `first` where a flag is true, else from `second`.

    Args:
        flags: bool (batch,) for images, or (batch, height, width) for pixels.
        first: (batch, height, width, channels).
        second: of the same shape and dtype.

    Returns:
        (batch, height, width, channels).
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Copies whole rows; tf.where repeats the flags for every value and is many times slower.
        rows = (-1, math.prod(first.shape[len(flags.shape) :]))
        chosen = tf.raw_ops.Select(
            condition=tf.reshape(flags, (-1,)),
            x=tf.reshape(first, rows),
            y=tf.reshape(second, rows),
        )
        return tf.reshape(chosen, tf.shape(second))
    return ops.where(ops.reshape(flags, (*flags.shape, *[1] * (4 - flags.ndim))), first, second)


def look_up(table: Tensor, places: Tensor) -> Tensor:
    """Returns the rows of a table at places along its first axis.

    Args:
        table: (rows, ...), a tensor or a numpy array.
        places: int32 of any shape, from 0.

    Returns:
        (*places.shape, ...), of the table's dtype.
    """
    table = ops.convert_to_tensor(table)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Keras's take looks for negative places first, which takes longer than all else.
        return tf.gather(table, places)
    return ops.take(table, places, axis=0)


def take_pixels(images: Tensor, places: Tensor) -> Tensor:
    """Looks up pixels of each image by their place in reading order.

    Args:
        images: (batch, height, width, channels).
        places: int32 (batch, rows, columns), row times width plus column of each pixel.

    Returns:
        (batch, rows, columns, channels), of the images' dtype.
    """
    count = ops.shape(images)[0]
    height, width, channels = images.shape[1:]
    rows, columns = places.shape[1:]
    pixels = ops.reshape(images, (count, height * width, channels))
    places = ops.reshape(places, (count, rows * columns))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Keras's take_along_axis looks up every channel on its own.
        taken = tf.gather(pixels, places, batch_dims=1)
    else:
        taken = ops.take_along_axis(pixels, places[:, :, None], axis=1)
    return ops.reshape(taken, (count, rows, columns, channels))


def take_values(tables: Tensor, images: Tensor) -> Tensor:
    """Looks up the values of each image in its table.

    Args:
        tables: (batch, channels, 256), new value for each value of each channel.
        images: uint8 (batch, height, width, channels).

    Returns:
        (batch, height, width, channels), of the tables' dtype.
    """
    shape = ops.shape(images)
    height, width, channels = images.shape[1:]
    columns = ops.cast(images, "int32") + integers(channels) * 256
    columns = ops.reshape(columns, (shape[0], 1, height * width * channels))
    tables = ops.reshape(tables, (shape[0], 1, channels * 256, 1))
    return ops.reshape(take_pixels(tables, columns), shape)


def integers(count: int) -> Tensor:
    """Returns 0 to `count` - 1, int32 (count,)."""
    return ops.convert_to_tensor(np.arange(count, dtype=np.int32))


def rectangle_masks(images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    """Marks the pixels inside of one rectangle an image.

    Args:
        images: (batch, height, width, channels), for their size.
        draws: int32 (batch,) `tops`, `heights`, `lefts` and `widths` of the rectangles, which may
            cross the edge. Heights and widths may also be plain integers.

    Returns:
        bool (batch, height, width).
    """
    in_rows = _between(images.shape[1], draws["tops"], draws["heights"])
    in_columns = _between(images.shape[2], draws["lefts"], draws["widths"])
    return in_rows[:, :, None] & in_columns[:, None]


def _between(size: int, first: Tensor, length: Tensor | int) -> Tensor:
    places = integers(size)
    return (places >= first[:, None]) & (places < (first + length)[:, None])
