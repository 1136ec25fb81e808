"""Recorded requests, against protobuf's own encoding of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.artifact.layout import EXTRA, WARMUP
from zoo.serve.warmup_reader import WarmupRequest, decode

FILE = Path(EXTRA) / WARMUP


def field(number: int, data: bytes) -> bytes:
    """A field with a length, as protobuf writes it."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*result, value))


def record(signature: str, inputs: dict[str, bytes]) -> bytes:
    """A PredictionLog of a predict request."""
    spec = field(1, b"name") + field(3, signature.encode())
    request = field(1, spec)
    for name, data in inputs.items():
        request += field(2, field(1, name.encode()) + field(2, data))
    return field(1, b"") + field(6, field(1, request))


@given(st.text(max_size=10), st.dictionaries(st.text(max_size=5), st.binary(max_size=300)))
def test_requests_come_back(signature: str, inputs: dict[str, bytes]) -> None:
    assert decode(record(signature, inputs)) == WarmupRequest(signature, inputs)


def test_numbers_between_are_passed_over() -> None:
    between = b"\x40\x96\x01" + b"\x49" + b"x" * 8 + b"\x4d" + b"x" * 4
    assert decode(between + record("a", {})) == WarmupRequest("a", {})
    assert decode(field(2, b"")) is None  # A request of classify.


@pytest.mark.parametrize(
    "data", [b"\x32", b"\x32\xff", b"\x32\x05ab", b"\x33", b"\x32\x02\x0a\x09"]
)
def test_damaged_records(data: bytes) -> None:
    with pytest.raises(ValueError, match="message|field"):
        decode(data)


def test_a_model_is_warmed_up(model_folder: Any, tmp_path: Path) -> None:
    import shutil

    import tensorflow as tf

    from tests.serve.models import png
    from zoo.serve.servable import Servable

    folder = tmp_path / "1"
    shutil.copytree(model_folder("pictures") / "1", folder)
    tensor = tf.make_tensor_proto([png(3)]).SerializeToString()
    (folder / FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
        writer.write(record("", {"image_bytes": tensor}))
        writer.write(field(2, b""))
    notes: list[str] = []
    servable = Servable(folder, "pictures", 1)
    seen: list[str] = []
    for name, run in servable.runners.items():
        servable.runners[name] = lambda inputs, name=name, run=run: seen.append(name) or run(inputs)
    servable.warm_up(4, notes.append)
    assert seen == ["serving_default", "serve_uint8"]
    assert notes == []
    (folder / FILE).write_bytes(b"damaged" * 10)
    servable.warm_up(4, notes.append)
    assert "pictures version 1: warming up failed" in notes[0]
