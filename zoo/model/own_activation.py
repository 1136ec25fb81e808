"""A layer that applies an activation function of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from zoo.errors import PluginError
from zoo.plugins.returned import is_tensor, place_of, said, said_shape


@keras.saving.register_keras_serializable("zoo")
class OwnActivation(keras.layers.Layer):
    """Applies a function of the user's own to its input, whose shape it keeps.

    Args:
        function: of a tensor and options; registered with Keras, so that a file can name it.
        options: of the function.
        **kwargs: options of `keras.layers.Layer`.
    """

    def __init__(
        self, function: Callable[..., Any], options: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.options = dict(options)

    def call(self, inputs: Any) -> Any:
        """The function of a batch.

        Raises:
            PluginError: it returns something else than a tensor of its input's shape.
        """
        outputs = self.function(inputs, **self.options)
        if not is_tensor(outputs) or not _alike(tuple(outputs.shape), tuple(inputs.shape)):
            raise PluginError(
                f"{self.function.__name__} ({place_of(self.function)}) returns {said(outputs)}. "
                f"Expected a tensor of the shape of its input, "
                f"{said_shape((None, *inputs.shape[1:]))}."
            )
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        function = keras.saving.serialize_keras_object(self.function)
        return {**super().get_config(), "function": function, "options": dict(self.options)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OwnActivation:
        """Makes the layer that `get_config` describes."""
        function = keras.saving.deserialize_keras_object(config.pop("function"))
        return cls(function, **config)


def _alike(shape: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Whether two shapes agree as far as they are known."""
    return len(shape) == len(other) and all(
        None in (size, wanted) or size == wanted for size, wanted in zip(shape, other, strict=True)
    )
