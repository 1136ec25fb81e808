"""The requests that an export brings along, to be run before the first client waits.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of `PredictionLog`, whose protobuf
classes come with a package of their own. The few fields that matter here are read by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST = 1000  # TensorFlow Serving reads no more.

# Numbers of fields: PredictionLog.predict_log, PredictLog.request, and those of PredictRequest.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_SIGNATURE_NAME = 3
_KEY, _VALUE = 1, 2


@dataclass(frozen=True)
class WarmupRequest:
    """A recorded `predict`: serialized `TensorProto`s by name."""

    signature_name: str
    inputs: dict[str, bytes]


def decode(record: bytes) -> WarmupRequest | None:
    """A record's request; None where it is of another method than `predict`.

    Raises:
        ValueError: the record is no protobuf message.
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
    """The fields of a message that have a length, with their numbers; the others are left out."""
    place = 0
    while place < len(message):
        tag, place = _number(message, place)
        kind = tag & 7
        if kind == 0:
            _, place = _number(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        elif kind == 2:
            length, place = _number(message, place)
            if place + length > len(message):
                raise ValueError("a field is longer than its message")
            yield tag >> 3, message[place : place + length]
            place += length
        else:
            raise ValueError(f"unknown kind of field: {kind}")


def _number(message: bytes, place: int) -> tuple[int, int]:
    """A variable-length number, and where the next thing begins."""
    value = shift = 0
    while place < len(message):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place
    raise ValueError("the message ends within a number")
