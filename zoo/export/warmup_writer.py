"""Writes the requests that TensorFlow Serving runs before it reports a model as ready.

The file holds TFRecords, each a PredictionLog. By hand: the package with these message types,
tensorflow-serving-api, depends on a second TensorFlow; the four messages needed are a few fields
(developers.google.com/protocol-buffers/docs/encoding).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.datasets.decoding.images import as_png


def write(file: Path, name: str, pixels: np.ndarray) -> None:
    """Writes one request for each signature of a SavedModel.

    Args:
        file: `assets.extra/tf_serving_warmup_requests` of the version.
        name: the model's name.
        pixels: uint8 (height, width, channels), the image of all requests.
    """
    inputs = {
        "serving_default": ("image_bytes", np.array([as_png(pixels)], object)),
        "serve_uint8": ("images", pixels[None]),
        "serve_float": ("images", pixels[None].astype(np.float32)),
    }
    with tf.io.TFRecordWriter(os.fsencode(file)) as writer:
        for signature, (input_name, values) in inputs.items():
            writer.write(prediction_log(name, signature, {input_name: values}))


def prediction_log(name: str, signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """Serializes a PredictionLog that holds a PredictRequest.

    Field numbers, from tensorflow_serving/apis/*.proto: PredictionLog.predict_log = 6;
    PredictLog.request = 1; PredictRequest.model_spec = 1, .inputs = 2 (a map with entries key = 1
    and value = 2); ModelSpec.name = 1, .signature_name = 3.

    Args:
        name: the model's name.
        signature: the signature's name.
        inputs: arrays by input name.
    """
    request = _field(1, _field(1, name.encode()) + _field(3, signature.encode()))
    for input_name, values in inputs.items():
        tensor = tf.make_tensor_proto(values).SerializeToString()
        request += _field(2, _field(1, input_name.encode()) + _field(2, tensor))
    return _field(6, _field(1, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of wire type 2: tag, length, bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
