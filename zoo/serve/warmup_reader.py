"""Reads the warm-up requests of an export.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of `PredictionLog` messages. By hand:
the package with their classes, tensorflow-serving-api, depends on a second TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_RECORDS = 1000  # As in TensorFlow Serving.

# Field numbers: PredictionLog.predict_log, PredictLog.request; PredictRequest.model_spec, .inputs;
# ModelSpec.signature_name; key and value of a map.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_SIGNATURE_NAME = 3
_KEY, _VALUE = 1, 2


@dataclass(frozen=True)
class WarmupRequest:
    """A recorded request of `predict`.

    Attributes:
        signature_name: empty for the default.
        inputs: serialized `TensorProto` messages by name.
    """

    signature_name: str
    inputs: dict[str, bytes]


def decode(record: bytes) -> WarmupRequest | None:
    """Decodes a record; None if it is a request of another method than `predict`.

    Raises:
        ValueError: the record is not a protobuf message.
    """
    logs = [log for number, log in _fields(record) if number == _PREDICT_LOG]
    if not logs:
        return None
    name, inputs = "", {}
    for number, value in _fields(dict(_fields(logs[-1])).get(_REQUEST, b"")):
        if number == _MODEL_SPEC:
            name = dict(_fields(value)).get(_SIGNATURE_NAME, b"").decode()
        elif number == _INPUTS:
            entry = dict(_fields(value))
            inputs[entry.get(_KEY, b"").decode()] = entry.get(_VALUE, b"")
    return WarmupRequest(name, inputs)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbers and contents of the length-delimited fields of a message; skips the others."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire_type = tag & 7
        if wire_type == 0:
            _, at = _varint(message, at)
        elif wire_type in (1, 5):
            at += 8 if wire_type == 1 else 4
        elif wire_type == 2:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field is longer than its message")
            yield tag >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError(f"unknown kind of field: {wire_type}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The variable-length number at a position, and the position after it."""
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
    raise ValueError("the message ends within a number")
