"""What a signature of a SavedModel takes and gives, in plain data."""

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

# What JSON can be made into, by TensorFlow's name for it.
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
    """A named tensor.

    Args:
        dtype: TensorFlow's name: float, uint8, string.
        shape: -1 where the size is free; None where even the rank is.
    """

    dtype: str
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        return f"{self.dtype} {shown(self.shape)}"

    def require(self, name: str, shape: tuple[int, ...]) -> None:
        """Refuses an array of another shape before the model sees it."""
        if self.shape is None:
            return
        fits = len(shape) == len(self.shape) and all(
            wanted in (-1, size) for wanted, size in zip(self.shape, shape, strict=True)
        )
        if not fits:
            raise invalid(
                f"input {name}: wrong shape. Expected {shown(self.shape)}, where -1 is any size. "
                f"Received {shown(shape)}."
            )


@dataclass(frozen=True)
class Signature:
    """A function of a SavedModel.

    Args:
        name: as requests ask for it.
        method: of the API, that it is made for.
        inputs: what it takes.
        outputs: what it gives.
        strict: whether it is a function of TensorFlow 2, whose shapes are meant as they stand. In
            a graph of TensorFlow 1 they are what was fed when it was written, and other shapes
            work where its operations do: the documentation of TensorFlow Serving does so.
    """

    name: str
    method: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    strict: bool = True

    @property
    def batches(self) -> bool:
        """Whether the first axis of all that goes in and comes out is free: the batch."""
        return bool(self.inputs) and all(
            info.shape and info.shape[0] == -1
            for info in (*self.inputs.values(), *self.outputs.values())
        )

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}: {info}' for name, info in self.inputs.items())})"


def shown(shape: tuple[int, ...] | None) -> str:
    """A shape as the API prints it: [-1,32,32,3]."""
    return "[?]" if shape is None else f"[{','.join(map(str, shape))}]"
