"""Converts requests of `predict` to arrays, and its answers to JSON."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from zoo.serve.signature import DEFAULT, Array, Signature
from zoo.serve.status import StatusError, invalid
from zoo.serve.tensors import (
    excerpt,
    is_base64,
    require_same_shape,
    require_tensor,
    shape_of,
    tensor,
    to_array,
)


@dataclass(frozen=True)
class PredictRequest:
    """A request of `predict`.

    Attributes:
        signature: to run.
        inputs: arrays by name.
        by_row: whether to answer a list of rows (`instances`), not of columns (`inputs`).
    """

    signature: Signature
    inputs: dict[str, Array]
    by_row: bool


def signature_name(document: dict[str, Any]) -> str:
    """The name of the requested signature.

    Raises:
        StatusError: it is not a string.
    """
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise invalid(
            f"JSON Value: {excerpt(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name or DEFAULT


def parse_predict(document: dict[str, Any], find: Callable[[str], Signature]) -> PredictRequest:
    """Converts a request of `predict`.

    Args:
        document: the body.
        find: returns the signature of a name, or raises.

    Raises:
        StatusError: the request does not fit the API or the signature.
    """
    signature = find(signature_name(document))
    if "instances" in document:
        if "inputs" in document:
            raise invalid(
                f"JSON Value: {excerpt(document)} Not formatted correctly expecting only one of "
                "'inputs' or 'instances' keys to exist "
            )
        inputs = _instances(document, signature)
    elif "inputs" in document:
        inputs = _inputs(document["inputs"], signature)
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    if signature.strict:
        for name, array in inputs.items():
            signature.inputs[name].require(name, array.shape)
    return PredictRequest(signature, inputs, "instances" in document)


def _instances(document: dict[str, Any], signature: Signature) -> dict[str, Array]:
    rows = document["instances"]
    if type(rows) is not list:
        raise invalid(f"JSON Value: {excerpt(document)} Excepting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {excerpt(document)} No values in 'instances' array")
    if type(rows[0]) is not dict and len(signature.inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns: dict[str, Array | None] = {}
    if _is_object(rows[0]):
        names = signature.inputs.keys()
        if all(type(row) is dict and row.keys() == names for row in rows):
            for name, info in signature.inputs.items():
                columns[name] = to_array([row[name] for row in rows], info)
    else:
        ((name, info),) = signature.inputs.items()
        columns[name] = to_array(rows, info)
    arrays = {name: array for name, array in columns.items() if array is not None}
    if len(arrays) < len(signature.inputs):
        _require_rows(rows, signature)
        raise invalid("'instances' cannot be read as tensors of one shape")
    return arrays


def _is_object(value: Any) -> bool:
    return type(value) is dict and not is_base64(value)


def _require_rows(rows: list[Any], signature: Signature) -> None:
    """Raises the API's message for instances that `to_array` refuses."""
    shape_of(rows)  # Refuses deep nesting.
    named = _is_object(rows[0])
    shapes: dict[str, tuple[int, ...]] = {}
    for number, row in enumerate(rows):
        if _is_object(row) != named:
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {number} of input list")
        items = row.items() if named else [(next(iter(signature.inputs)), row)]
        for name, value in items:
            key = f" key: {name}" if named else ""
            try:
                if name not in signature.inputs:
                    raise invalid(f"JSON object: does not have named input: {name}")
                shape = shape_of(value)
                require_tensor(value, signature.inputs[name].dtype, shape)
                require_same_shape(shapes.setdefault(name, shape), shape)
            except StatusError as error:
                raise StatusError(
                    error.code,
                    f"Failed to process element: {number}{key} of 'instances' list. Error: {error}",
                ) from None
        if named and row.keys() != signature.inputs.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. "
                f"JSON object: {excerpt(row)} keys must be equal to: "
                f"{','.join(sorted(signature.inputs))}"
            )


def _inputs(value: Any, signature: Signature) -> dict[str, Array]:
    if not _is_object(value):
        if len(signature.inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        ((name, info),) = signature.inputs.items()
        return {name: tensor(value, info)}
    arrays = {}
    for name, info in signature.inputs.items():
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        arrays[name] = tensor(value[name], info)
    return arrays


def answer(outputs: Mapping[str, Array], by_row: bool) -> bytes:
    """Writes the answer of `predict`.

    Args:
        outputs: arrays by name.
        by_row: whether to answer a list of rows, not of columns.

    Raises:
        StatusError: the outputs cannot be written so.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if by_row:
        _require_batch(outputs)
    nonfinite = any(
        array.dtype.kind == "f" and not np.isfinite(array).all() for array in outputs.values()
    )
    values = {name: _to_json(name, array, nonfinite) for name, array in outputs.items()}
    key = "predictions" if by_row else "outputs"
    if len(values) == 1:
        return dump({key: next(iter(values.values()))}, nonfinite)
    if not by_row:
        return dump({key: values}, nonfinite)
    count = len(next(iter(outputs.values())))
    rows = [{name: column[i] for name, column in values.items()} for i in range(count)]
    return dump({key: rows}, nonfinite)


def _require_batch(outputs: Mapping[str, Array]) -> None:
    size = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size is not None and len(array) != size:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}"
            )
        size = len(array)


def _to_json(name: str, array: Array, nonfinite: bool) -> Any:
    """The array itself, which orjson writes, or nested lists where it cannot."""
    if array.dtype == np.object_:
        return _strings(array, name.endswith("_bytes"))
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        raise invalid(f"Failed to write JSON value for tensor type: {array.dtype.name}")
    if nonfinite:
        return numbers(array)
    return np.ascontiguousarray(array) if array.ndim else array[()]


def numbers(array: Array) -> Any:
    """Nested lists of an array's numbers, with no more digits than its type has."""
    if array.dtype.kind != "f":
        return array.tolist()
    return _nested([float(str(value)) for value in array.ravel()], array)


def _strings(array: Array, as_bytes: bool) -> Any:
    flat: list[Any]
    if as_bytes:
        flat = [{"b64": binascii.b2a_base64(value, newline=False).decode()} for value in array.flat]
    else:
        flat = [value.decode("utf-8", "replace") for value in array.flat]
    return _nested(flat, array)


def _nested(flat: list[Any], like: Array) -> Any:
    if like.ndim == 1:
        return flat
    array = np.empty(len(flat), np.object_)
    array[:] = flat
    return array.reshape(like.shape).tolist()


def dump(document: Any, nonfinite: bool = False) -> bytes:
    """Writes JSON.

    Args:
        document: JSON values and, if all are finite, arrays.
        nonfinite: write NaN and Infinity as the API does, with `json`, since orjson writes null.
    """
    if nonfinite:
        return json.dumps(document).encode()
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
