"""The inputs and outputs of a SavedModel's signature, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.serve.status import invalid

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
DEFAULT = "serving_default"

Array = np.ndarray[Any, np.dtype[Any]]

# The types that JSON values can be converted to, by TensorFlow's names.
DTYPES: dict[str, Any] = {
    "half": np.float16,
    "float": np.float32,
    "double": np.float64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "bool": np.bool_,
    "string": np.object_,
}


@dataclass(frozen=True)
class TensorInfo:
    """Type and shape of an input or output.

    Attributes:
        dtype: TensorFlow's name, such as float, uint8, string.
        shape: -1 for a size that is free; None if even the rank is.
    """

    dtype: str
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        return f"{self.dtype} {format_shape(self.shape)}"

    def require(self, name: str, shape: tuple[int, ...]) -> None:
        """Refuses an array of another shape.

        Args:
            name: of the input, for the message.
            shape: of the array.

        Raises:
            StatusError: names both shapes.
        """
        if self.shape is None:
            return
        fits = len(shape) == len(self.shape) and all(
            wanted in (-1, size) for wanted, size in zip(self.shape, shape, strict=True)
        )
        if not fits:
            advice = ""
            if len(self.shape) > 1 and self.shape[0] == -1 and self.shape[1:] == shape:
                advice = " A single one stands in a list, too: [...]."
            raise invalid(
                f"input {name}: wrong shape. Expected {format_shape(self.shape)}, where -1 is any "
                f"size. Received {format_shape(shape)}.{advice}"
            )


@dataclass(frozen=True)
class Signature:
    """A function of a SavedModel.

    Attributes:
        name: the name that requests use.
        method: the method of the API that it is made for: `PREDICT`, `CLASSIFY` or `REGRESS`.
        inputs: by name.
        outputs: by name.
        strict: whether the shapes of inputs are binding. Those of a TensorFlow 2 function are. A
            graph of TensorFlow 1 records the shapes fed when it was written and may accept others,
            as the examples in TensorFlow Serving's documentation do.
    """

    name: str
    method: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    strict: bool = True

    @property
    def batches(self) -> bool:
        """Whether the first axis of all inputs and outputs is a free batch axis."""
        return bool(self.inputs) and all(
            info.shape and info.shape[0] == -1
            for info in (*self.inputs.values(), *self.outputs.values())
        )

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}: {info}' for name, info in self.inputs.items())})"


def format_shape(shape: tuple[int, ...] | None) -> str:
    """Formats a shape as the API does: [-1,32,32,3]."""
    return "[?]" if shape is None else f"[{','.join(map(str, shape))}]"
