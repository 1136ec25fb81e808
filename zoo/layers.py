"""Layers that Keras lacks, small and serialisable.

A model file that holds one of them opens after `import zoo.layers`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class Maxout(keras.layers.Layer):
    """The largest of each `pieces` neighbouring channels (Goodfellow et al. 2013).

    Input shape: (batch, ..., channels), channels a multiple of `pieces`.
    Output shape: (batch, ..., channels / pieces).

    Raises:
        ValueError: `pieces` does not divide the channels.
    """

    def __init__(self, pieces: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pieces = pieces

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if channels is None or channels % self.pieces:
            raise ValueError(
                f"`pieces` must divide the channels. Received pieces={self.pieces}, "
                f"input_shape={input_shape}."
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        *rest, channels = inputs.shape
        shape = (-1, *rest[1:], channels // self.pieces, self.pieces)
        return ops.max(ops.reshape(inputs, shape), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        return (*input_shape[:-1], input_shape[-1] // self.pieces)  # type: ignore[operator]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pieces": self.pieces}
