"""Requests that TensorFlow Serving runs before it says that a model is ready.

A file of TFRecords, each a PredictionLog of TensorFlow Serving's protocol. Its message types come
with a package that brings TensorFlow a second time, so the four that are needed are written here,
field by field (developers.google.com/protocol-buffers/docs/encoding).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.data.images import as_png


def write(file: Path, name: str, pixels: np.ndarray) -> None:
    """Writes a request for each signature of a SavedModel.

    Args:
        file: `assets.extra/tf_serving_warmup_requests` of the version.
        name: the model's.
        pixels: uint8 (height, width, channels): one image.
    """
    inputs = {
        "serving_default": ("image_bytes", np.array([as_png(pixels)], object)),
        "serve_uint8": ("images", pixels[None]),
        "serve_float": ("images", pixels[None].astype(np.float32)),
    }
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, (word, values) in inputs.items():
            writer.write(prediction_log(name, signature, {word: values}))


def prediction_log(name: str, signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """A PredictionLog that holds a PredictRequest.

    Fields: PredictionLog.predict_log = 6, PredictLog.request = 1, PredictRequest.model_spec = 1 and
    .inputs = 2 (a map, whose entries are key = 1 and value = 2), ModelSpec.name = 1 and
    .signature_name = 3 (tensorflow_serving/apis/*.proto).
    """
    request = _field(1, _field(1, name.encode()) + _field(3, signature.encode()))
    for word, values in inputs.items():
        tensor = tf.make_tensor_proto(values).SerializeToString()
        request += _field(2, _field(1, word.encode()) + _field(2, tensor))
    return _field(6, _field(1, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of wire type 2: its tag, its length, its bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
