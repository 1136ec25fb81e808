"""Writes .tflite files, as phones read them: in float32, or quantized to float16 or int8.

One input, RGB images; one output, the probabilities; metadata and class names inside of the file.
So MediaPipe Tasks opens it, and an interpreter of LiteRT, too.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from zoo import backend
from zoo.artifact.layout import Artifact
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.decoding.images import LUMA, ImageSpec
from zoo.datasets.splits import Split
from zoo.export import tflite_metadata
from zoo.export.keras_only import keras_only
from zoo.export.probes import spread_indices

CALIBRATION_IMAGES = 256  # Training images that give the ranges of int8 values.
SIGNATURE = "serving_default"
ACTIVATIONS = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}


def write(
    trained: TrainedRun, folder: Path, quantize: str | None = None, train: Split | None = None
) -> None:
    """Writes model.tflite: `images` (batch, height, width, 3), 0 to 255, to `probabilities`.

    Args:
        trained: the run. A grey network gets the luma of the images, as Pillow computes it.
        folder: the folder to fill.
        quantize: None: float32. `float16`: weights in 16 bits, half the size. `int8`: weights,
            activations, input and output in 8 bits; an operator without such a kernel stays in
            float32.
        train: training images, of which `int8` takes some to measure the ranges of values.
    """
    model = keras_only(trained.model, full_precision=True)
    activation = ACTIVATIONS[trained.activation]
    height, width, channels = ImageSpec.of(trained.recipe).shape

    def function(images: Any) -> dict[str, Any]:
        pixels = images if channels == 3 else _luma(images, quantize != "int8")
        logits = tf.cast(model(pixels, training=False), tf.float32)
        return {"probabilities": activation(logits)}

    signature = [tf.TensorSpec((None, height, width, 3), tf.float32, name="images")]
    archive = keras.export.ExportArchive()
    archive.track(model)  # Else the file reads variables that it does not hold.
    archive.add_endpoint(SIGNATURE, function, input_signature=signature)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow warns of its own interpreter.
        archive.write_out(scratch, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch, signature_keys=[SIGNATURE])
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8" and train is not None:
            _set_int8(converter, train)
        content = _convert(converter)
    name, classes = trained.recipe.name, trained.class_names
    complete = tflite_metadata.attach(
        content, name, classes, (height, width), sum_is_1=trained.activation == "softmax"
    )
    Artifact(folder, "litert").model_file.write_bytes(complete)


def _convert(converter: Any) -> bytes:
    """Converts; what TensorFlow writes to stderr meanwhile is of no use to anyone."""
    with backend.quiet():
        try:
            return bytes(converter.convert())
        except Exception as error:  # `quiet` would show what an error is about in many lines.
            failure = error
    raise failure


def _luma(images: Any, whole: bool) -> Any:
    """Grey images (batch, height, width, 1) of RGB ones: ITU-R 601-2, rounded as Pillow does.

    Exact in float32, and within the range of float16, in which some phones compute.
    """
    grey = tf.reduce_sum(images * (np.array(LUMA, np.float32) / 2**16), axis=-1, keepdims=True)
    return tf.floor(grey + 0.5) if whole else grey


def _set_int8(converter: Any, train: Split) -> None:
    """Sets a converter to integers: uint8 in and out, as phones hold images."""
    kinds = tf.lite.OpsSet
    converter.target_spec.supported_ops = [kinds.TFLITE_BUILTINS_INT8, kinds.TFLITE_BUILTINS]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    images = calibration_images(train)
    converter.representative_dataset = lambda: _one_by_one(images)


def calibration_images(train: Split) -> np.ndarray:
    """Training images, spread over the split, as RGB float32 (n, height, width, 3), 0 to 255.

    A pixel of the first is black and one of the last is white, so that the input's range is that
    of a byte: an image's bytes are then the input, without a conversion.
    """
    images = train.images(spread_indices(len(train), CALIBRATION_IMAGES)).astype(np.float32)
    images[0, 0, 0], images[-1, -1, -1] = 0, 255
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def _one_by_one(images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    for image in images:
        yield {"images": image[None]}


def float_operators(file: Path) -> list[str]:
    """Names of the operators of a .tflite file that compute in float32."""
    model = flatbuffer_utils.read_model(str(file))
    schema = flatbuffer_utils.schema_fb
    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    operators = set()
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            tensors = [subgraph.tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0]
            if any(tensor.type == schema.TensorType.FLOAT32 for tensor in tensors):
                code = model.operatorCodes[operator.opcodeIndex]
                operators.add(names[max(code.builtinCode, code.deprecatedBuiltinCode)])
    return sorted(operators - {"QUANTIZE", "DEQUANTIZE"})
