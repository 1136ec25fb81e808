"""Layers that Keras lacks, small and serialisable.

`import zoo.model.layers` registers them, so that Keras can open a model file that holds one.
"""

from __future__ import annotations

from math import prod
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class Maxout(keras.layers.Layer):
    """The largest of each `pieces` neighbouring channels (Goodfellow et al. 2013).

    Input shape: (batch, ..., channels), channels a multiple of `pieces`.
    Output shape: (batch, ..., channels / pieces).
    """

    def __init__(self, pieces: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pieces = pieces

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks the input shape.

        Raises:
            ValueError: `pieces` does not divide the channels.
        """
        channels = input_shape[-1]
        if channels is None or channels % self.pieces:
            raise ValueError(
                f"`pieces` must divide the channels. Received pieces={self.pieces}, "
                f"input_shape={input_shape}."
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """The maxima of a batch."""
        *size, channels = inputs.shape
        shape = (-1, *size[1:], channels // self.pieces, self.pieces)
        return ops.max(ops.reshape(inputs, shape), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        """The shape of the maxima."""
        return (*input_shape[:-1], input_shape[-1] // self.pieces)  # type: ignore[operator]

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        return {**super().get_config(), "pieces": self.pieces}


@keras.saving.register_keras_serializable("zoo")
class SamplewiseNormalization(keras.layers.Layer):
    """Takes its mean from each image, and with `std` divides by its standard deviation.

    Both are over all pixels and channels. The standard deviation counts as 1 / sqrt(values of the
    image) at least, as in TensorFlow's `per_image_standardization`: an even image becomes 0.

    Input shape: (batch, height, width, channels), any dtype.
    Output shape: the same, in the layer's compute dtype.
    """

    def __init__(self, std: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.std = std

    def call(self, inputs: Any) -> Any:
        """The normalised images of a batch."""
        return samplewise(ops.cast(inputs, self.compute_dtype), self.std)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        return {**super().get_config(), "std": self.std}


def samplewise(images: Any, std: bool) -> Any:
    """What `SamplewiseNormalization` computes, of floating-point images."""
    axes = (1, 2, 3)
    centred = images - ops.mean(images, axis=axes, keepdims=True)
    if not std:
        return centred
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    return centred / ops.sqrt(ops.maximum(variance, 1.0 / prod(images.shape[1:])))


@keras.saving.register_keras_serializable("zoo")
class FixedConv2D(keras.layers.Conv2D):
    """A convolution with a kernel that is not trained and a bias that is; shapes as of Conv2D."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights."""
        super().build(input_shape)
        self._kernel.trainable = False

    @property
    def trainable(self) -> bool:
        """Whether the bias is trained."""
        return bool(super().trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        # Switching a model's training off and on again must not make the kernel trainable.
        keras.layers.Conv2D.trainable.fset(self, value)
        if self.built:
            self._kernel.trainable = False


@keras.saving.register_keras_serializable("zoo")
class PadShortcut(keras.layers.Layer):
    """Takes every stride-th pixel and adds channels of zeros: He et al. 2016, 3.3, option A.

    Input shape: (batch, height, width, c), c at most `channels`.
    Output shape: (batch, ceil(height / strides[0]), ceil(width / strides[1]), channels).
    """

    def __init__(self, strides: tuple[int, int], channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.strides = tuple(strides)
        self.channels = channels

    def call(self, inputs: Any) -> Any:
        """The shortcut of a batch."""
        pixels = inputs[:, :: self.strides[0], :: self.strides[1], :]
        missing = self.channels - inputs.shape[-1]
        return ops.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, missing)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        """The shape of the shortcut."""
        height, width = (
            None if n is None else -(-n // s)
            for n, s in zip(input_shape[1:3], self.strides, strict=True)
        )
        return (input_shape[0], height, width, self.channels)

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        config = {"strides": list(self.strides), "channels": self.channels}
        return {**super().get_config(), **config}
