"""The warm-up requests, decoded by hand and answered by the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.exports import Exports
from zoo.export import FORMATS

EVERY = pytest.mark.parametrize("format", FORMATS)
SIGNATURES = ("serving_default", "serve_uint8", "serve_float")


def fields(message: bytes) -> list[tuple[int, bytes]]:
    """Numbers and contents of the fields of a protobuf message, all length-delimited."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    result, at = [], 0
    while at < len(message):
        tag, at = varint(at)
        assert tag & 7 == 2
        length, at = varint(at)
        assert at + length <= len(message)
        result.append((tag >> 3, message[at : at + length]))
        at += length
    return result


def test_warmup(exports: Exports, loaded: Any) -> None:
    """One PredictionLog for each signature, with the field numbers of TensorFlow Serving."""
    from tensorflow.core.framework import tensor_pb2

    records = list(tf.data.TFRecordDataset(str(exports.of("saved_model").warmup_file)))
    answers = []
    for name, record in zip(SIGNATURES, records, strict=True):
        ((number, predict_log),) = fields(record.numpy())
        assert number == 6
        ((number, request),) = fields(predict_log)
        assert number == 1
        (spec_number, spec), (input_number, entry) = fields(request)
        assert (spec_number, input_number) == (1, 2)
        assert fields(spec) == [(1, b"tiny"), (3, name.encode())]
        (key_number, key), (value_number, value) = fields(entry)
        assert (key_number, value_number) == (1, 2)
        values = tf.make_ndarray(tensor_pb2.TensorProto.FromString(value))
        assert values.shape[0] == 1
        answers.append(loaded.signatures[name](**{key.decode(): tf.constant(values)})["logits"])
    assert (answers[0].numpy() == answers[1].numpy()).all()
    assert (answers[0].numpy() == answers[2].numpy()).all()
    assert np.ptp(answers[0].numpy()) > 0
