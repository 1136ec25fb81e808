"""JSON values to arrays: quickly where they are right, slowly with the API's words where not."""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from zoo.serve.signature import DTYPES, Array, TensorInfo, shown
from zoo.serve.status import StatusError, invalid

MOST_DIMENSIONS = 32
LONGEST = 256
_TYPES = {
    type(None): "Null",
    bool: "True",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def quoted(value: Any) -> str:
    """A JSON value for an error message, cut where it is long."""
    parts: list[str] = []
    length = 0
    for part in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value):
        parts.append(part)
        length += len(part)
        if length > LONGEST:
            return "".join(parts)[:LONGEST] + "..."
    return "".join(parts)


def kind(value: Any) -> str:
    """What a JSON value is, in the API's words."""
    return "False" if value is False else _TYPES[type(value)]


def is_base64(value: Any) -> bool:
    """Whether a value is bytes: an object with `b64` and nothing else."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def decoded(text: str) -> bytes | None:
    """Bytes from base64; None where it is none. White space and missing padding are no fault."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass
    try:
        text = "".join(text.split()).rstrip("=")
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None


def dense(value: Any, info: TensorInfo) -> Array | None:
    """An array of a nested list; None where anything in it is wrong: `require` tells what."""
    shape: list[int] = []
    flat = [value]
    while flat and type(flat[0]) is list:
        if len(shape) == MOST_DIMENSIONS or set(map(type, flat)) != {list}:
            return None
        sizes = set(map(len, flat))
        if len(sizes) > 1:
            return None
        shape.append(sizes.pop())
        flat = list(chain.from_iterable(flat)) if len(flat) > 1 else flat[0]
    leaves = _leaves(flat, info.dtype)
    return None if leaves is None else leaves.reshape(shape)


def _leaves(flat: Sequence[Any], dtype: str) -> Array | None:
    if dtype == "string":
        return _strings(flat)
    kinds = set(map(type, flat))
    wanted = DTYPES.get(dtype)
    if wanted is None:
        return None
    if dtype == "bool":
        return np.array(flat, wanted) if kinds <= {bool} else None
    if np.issubdtype(wanted, np.integer):
        limits = np.iinfo(wanted)
        if not kinds <= {int} or (flat and not limits.min <= min(flat) <= max(flat) <= limits.max):
            return None
        return np.array(flat, wanted)
    if not kinds <= {int, float}:
        return None
    exact = np.array(flat, np.float64)
    with np.errstate(over="ignore"):
        rounded = exact.astype(wanted)
    if np.isinf(rounded).any() and (np.isinf(rounded) & np.isfinite(exact)).any():
        return None
    return rounded


def _strings(flat: Sequence[Any]) -> Array | None:
    found = np.empty(len(flat), np.object_)
    for i, value in enumerate(flat):
        if type(value) is str:
            found[i] = value.encode()
        elif is_base64(value):
            found[i] = decoded(value["b64"])
        if found[i] is None:
            return None
    return found


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape that the first values of a nested list promise."""
    shape: list[int] = []
    while type(value) is list:
        if len(shape) == MOST_DIMENSIONS:
            raise invalid(f"Encountered lists nested deeper than {MOST_DIMENSIONS} levels")
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def require(value: Any, dtype: str, shape: tuple[int, ...], level: int = 0) -> None:
    """Says what is wrong with a value that `dense` makes no array of."""
    if type(value) is not list:
        if level != len(shape):
            raise invalid(
                f"JSON Value: {quoted(value)} found at incorrect level: {level + 1} "
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
        require(item, dtype, shape, level + 1)


def _require_leaf(value: Any, dtype: str) -> None:
    if dtype not in DTYPES:
        raise StatusError(
            "UNIMPLEMENTED", f"Conversion of JSON Value: {quoted(value)} to type: {dtype}"
        )
    if _leaves([value], dtype) is not None:
        return
    if dtype == "string" and type(value) is dict:
        if not is_base64(value):
            raise invalid(f"JSON Value: {quoted(value)} not formatted correctly for base64 data")
        raise invalid("Unable to base64 decode")
    if dtype in ("half", "float", "double") and type(value) in (int, float):
        raise invalid(
            f"Cannot convert JSON value: {quoted(value)} to {dtype} without loss of precision."
        )
    raise invalid(
        f"JSON Value: {quoted(value)} Type: {kind(value)} is not of expected type: {dtype}"
    )


def tensor(value: Any, info: TensorInfo) -> Array:
    """An array of a nested list.

    Raises:
        StatusError: the list is none of one shape and type; says where it is not.
    """
    found = dense(value, info)
    if found is None:
        require(value, info.dtype, shape_of(value))
        raise invalid(f"JSON Value: {quoted(value)} is no tensor of type: {info.dtype}")
    return found


def same(name: str, one: tuple[int, ...] | None, other: tuple[int, ...]) -> tuple[int, ...]:
    """Holds the shapes of an input's instances together."""
    if one is None or one == other:
        return other
    sizes = int(np.prod(one)), int(np.prod(other))
    if sizes[0] != sizes[1]:
        raise invalid(f"Expecting tensor size: {sizes[0]} but got: {sizes[1]}")
    raise invalid(f"Expecting shape {shown(one)} but got: {shown(other)}")
