"""Shapes, look-ups and masks of images on the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


def per_image(values: Tensor) -> Tensor:
    """Reshapes (batch,) to (batch, 1, 1, 1), which broadcasts against images."""
    return values[:, None, None, None]


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


def rectangle_masks(images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    """Marks the pixels inside of one rectangle an image.

    Args:
        images: (batch, height, width, channels), for their size.
        draws: int32 (batch,) `tops`, `heights`, `lefts` and `widths` of the rectangles, which may
            cross the edge. Heights and widths may also be plain integers.

    Returns:
        bool (batch, height, width, 1).
    """
    in_rows = _between(images.shape[1], draws["tops"], draws["heights"])
    in_columns = _between(images.shape[2], draws["lefts"], draws["widths"])
    return in_rows[:, :, None, None] & in_columns[:, None, :, None]


def _between(size: int, first: Tensor, length: Tensor | int) -> Tensor:
    places = ops.convert_to_tensor(np.arange(size, dtype=np.int32))
    return (places >= first[:, None]) & (places < (first + length)[:, None])
