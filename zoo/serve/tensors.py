"""Converts JSON values to arrays.

`to_array` is fast and returns None for any error; `require_tensor` then walks the value and raises
the API's message.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from zoo.serve.signature import DTYPES, Array, TensorInfo, format_shape
from zoo.serve.status import StatusError, invalid

MAX_DIMENSIONS = 32
MAX_QUOTE = 256
_JSON_TYPES = {
    type(None): "Null",
    bool: "True",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def excerpt(value: Any) -> str:
    """Formats a JSON value for an error message, cut after 256 characters."""
    parts: list[str] = []
    length = 0
    for part in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value):
        parts.append(part)
        length += len(part)
        if length > MAX_QUOTE:
            return "".join(parts)[:MAX_QUOTE] + "..."
    return "".join(parts)


def json_type(value: Any) -> str:
    """The API's name for the type of a JSON value."""
    return "False" if value is False else _JSON_TYPES[type(value)]


def is_base64(value: Any) -> bool:
    """Whether a JSON value stands for bytes: an object with the one key `b64`."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def decode_base64(text: str) -> bytes | None:
    """Decodes base64; None if it is invalid. Accepts white space and missing padding."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass
    try:
        text = "".join(text.split()).rstrip("=")
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None


def to_array(value: Any, info: TensorInfo) -> Array | None:
    """Converts a nested list to an array; None if anything in it is wrong."""
    shape: list[int] = []
    flat = [value]
    while flat and type(flat[0]) is list:
        if len(shape) == MAX_DIMENSIONS or set(map(type, flat)) != {list}:
            return None
        sizes = set(map(len, flat))
        if len(sizes) > 1:
            return None
        shape.append(sizes.pop())
        flat = list(chain.from_iterable(flat)) if len(flat) > 1 else flat[0]
    array = _convert(flat, info.dtype)
    return None if array is None else array.reshape(shape)


def _convert(flat: Sequence[Any], name: str) -> Array | None:
    """An array of scalars; None if one is not of the type."""
    if name == "string":
        return _to_bytes(flat)
    types = set(map(type, flat))
    dtype = DTYPES.get(name)
    if dtype is None:
        return None
    if name == "bool":
        return np.array(flat, dtype) if types <= {bool} else None
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if not types <= {int} or (flat and not limits.min <= min(flat) <= max(flat) <= limits.max):
            return None
        return np.array(flat, dtype)
    if not types <= {int, float}:
        return None
    exact = np.array(flat, np.float64)
    with np.errstate(over="ignore"):
        rounded = exact.astype(dtype)
    if np.isinf(rounded).any() and (np.isinf(rounded) & np.isfinite(exact)).any():
        return None
    return rounded


def _to_bytes(flat: Sequence[Any]) -> Array | None:
    array = np.empty(len(flat), np.object_)
    for i, value in enumerate(flat):
        if type(value) is str:
            array[i] = value.encode()
        elif is_base64(value):
            array[i] = decode_base64(value["b64"])
        if array[i] is None:
            return None
    return array


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of a nested list, from the first value of each level.

    Raises:
        StatusError: the list is nested too deep.
    """
    shape: list[int] = []
    while type(value) is list:
        if len(shape) == MAX_DIMENSIONS:
            raise invalid(f"Encountered lists nested deeper than {MAX_DIMENSIONS} levels")
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def require_tensor(value: Any, dtype: str, shape: tuple[int, ...], level: int = 0) -> None:
    """Raises the API's message for a value that `to_array` refuses.

    Args:
        value: a nested list.
        dtype: TensorFlow's name of the expected type.
        shape: the expected shape.
        level: the depth of `value` in the whole list.

    Raises:
        StatusError: names what is wrong, and where.
    """
    if type(value) is not list:
        if level != len(shape):
            raise invalid(
                f"JSON Value: {excerpt(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        _require_leaf(value, dtype)
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        require_tensor(item, dtype, shape, level + 1)


def _require_leaf(value: Any, dtype: str) -> None:
    if dtype not in DTYPES:
        raise StatusError(
            "UNIMPLEMENTED", f"Conversion of JSON Value: {excerpt(value)} to type: {dtype}"
        )
    if _convert([value], dtype) is not None:
        return
    if dtype == "string" and type(value) is dict:
        if not is_base64(value):
            raise invalid(f"JSON Value: {excerpt(value)} not formatted correctly for base64 data")
        raise invalid("Unable to base64 decode")
    if dtype in ("half", "float", "double") and type(value) in (int, float):
        raise invalid(
            f"Cannot convert JSON value: {excerpt(value)} to {dtype} without loss of precision."
        )
    raise invalid(
        f"JSON Value: {excerpt(value)} Type: {json_type(value)} is not of expected type: {dtype}"
    )


def tensor(value: Any, info: TensorInfo) -> Array:
    """Converts a nested list to an array.

    Raises:
        StatusError: the list is not of one shape and of the input's type.
    """
    array = to_array(value, info)
    if array is None:
        require_tensor(value, info.dtype, shape_of(value))
        raise invalid(f"JSON Value: {excerpt(value)} is no tensor of type: {info.dtype}")
    return array


def require_same_shape(expected: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Refuses an instance whose shape differs from that of the instances before it.

    Raises:
        StatusError: names both shapes or, if they differ, both sizes.
    """
    if shape == expected:
        return
    sizes = int(np.prod(expected)), int(np.prod(shape))
    if sizes[0] != sizes[1]:
        raise invalid(f"Expecting tensor size: {sizes[0]} but got: {sizes[1]}")
    raise invalid(f"Expecting shape {format_shape(expected)} but got: {format_shape(shape)}")
