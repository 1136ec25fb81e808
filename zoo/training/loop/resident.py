"""Images and labels of a split, kept whole on the device that trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from zoo.backend import devices
from zoo.datasets.splits import Split
from zoo.labels import is_multi_label
from zoo.training.loop.draws import steps_together


@dataclass(frozen=True, eq=False)
class ResidentSplit:
    """A split on the device.

    Attributes:
        images: uint8 (n, height, width, channels), a tensor of the backend.
        labels: int32 (n,), or multi-label uint8 (n, classes), likewise.
        ahead: blocks of draws that the next steps wait for.
        threads: threads that make them.
    """

    streamed: ClassVar[bool] = False
    ahead: ClassVar[int] = 1
    threads: ClassVar[int] = 1
    images: Any
    labels: Any

    @classmethod
    def of(cls, split: Split) -> ResidentSplit:
        """Copies a split to the device, where it stays while the result is referenced.

        Each of several devices gets a copy.

        Raises:
            DataError: an image can no longer be decoded.
        """
        images = split.images(np.arange(len(split)))
        labels = label_array(split)
        if keras.backend.backend() == "jax":
            import jax

            if devices.current().several:
                return cls(*devices.replicate((images, labels)))
            return cls(jax.device_put(images), jax.device_put(labels))
        import tensorflow as tf

        return cls(tf.constant(images), tf.constant(labels))

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    @property
    def constants(self) -> tuple[Any, ...]:
        """What every step of a program reads."""
        return self.images, self.labels

    def inputs(self, draws: Mapping[str, Any]) -> dict[str, Any]:
        """What the program needs of the host for a step: its draws.

        Args:
            draws: of the step; `indices`, int32 (batch,), are those of its images.
        """
        return dict(draws)

    def take(self, constants: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any]:
        """Gathers the images and labels of a step, in the program."""
        images, labels = (ops.take(values, inputs["indices"], axis=0) for values in constants)
        return images, labels

    def together(self, draws: Any) -> int:
        """How many steps are drawn, and handed to the program, together."""
        return steps_together(draws)


def size(split: Split, image_shape: tuple[int, int, int]) -> int:
    """Bytes that a split takes on the device."""
    return len(split) * int(np.prod(image_shape)) + label_array(split).nbytes


def label_array(split: Split) -> np.ndarray:
    """The labels as the device takes them: int32 (n,), or multi-label uint8 (n, classes)."""
    labels = np.asarray(split.labels)
    return labels.astype(np.uint8 if is_multi_label(labels) else np.int32, copy=False)
