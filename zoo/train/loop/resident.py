"""Images and labels of a split, kept whole on the device that trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo.data.splits import Split, Splits


@dataclass(frozen=True, eq=False)
class ResidentSplit:
    """A split on the device.

    Attributes:
        images: uint8 (n, height, width, channels), a tensor of the backend.
        labels: int32 (n,), likewise.
    """

    images: Any
    labels: Any

    def __len__(self) -> int:
        return int(self.labels.shape[0])


@dataclass(frozen=True, eq=False)
class ResidentData:
    """What a training keeps on the device.

    Attributes:
        train: the training split.
        validation: the validation split.
    """

    train: ResidentSplit
    validation: ResidentSplit

    @classmethod
    def of(cls, data: Splits) -> ResidentData:
        """Copies the training and the validation split to the device.

        Raises:
            DataError: an image can no longer be decoded.
        """
        return cls(put(data.train), put(data.validation))


def put(split: Split) -> ResidentSplit:
    """Copies a split to the device, where it stays while the result is referenced.

    Raises:
        DataError: an image can no longer be decoded.
    """
    images = split.images(np.arange(len(split)))
    labels = np.asarray(split.labels, np.int32)
    if keras.backend.backend() == "jax":
        import jax

        return ResidentSplit(jax.device_put(images), jax.device_put(labels))
    import tensorflow as tf

    return ResidentSplit(tf.constant(images), tf.constant(labels))


def size(split: Split, image_shape: tuple[int, int, int]) -> int:
    """Bytes that a split takes on the device."""
    return len(split) * (int(np.prod(image_shape)) + 4)
