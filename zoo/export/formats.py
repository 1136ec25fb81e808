"""The writers of each format: a trained run to files of its version's folder.

Preprocessing and its statistics are part of every one, augmentation of none.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifact.layout import LABELS, Artifact
from zoo.artifact.trained_run import TrainedRun
from zoo.data.images import ImageSpec
from zoo.export import graph
from zoo.export.plain import plain

TOP = 5


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        write: given the run and the folder to fill.
        signatures: what it is fed: `files` (encoded images), `uint8` or `float32` arrays.
        needs: modules beside TensorFlow without which it can be neither written nor read.
        extra: the extra of setup.py that brings them.
        full_precision: whether it computes in float32 what was trained in 16 bits.
    """

    write: Callable[[TrainedRun, Path], None]
    signatures: dict[str, str]
    needs: tuple[str, ...] = ()
    extra: str = ""
    full_precision: bool = False


def saved_model(trained: TrainedRun, folder: Path) -> None:
    """Writes a SavedModel: images in; sorted class names and probabilities, and logits out.

    Signatures: `serving_default` on encoded images (batch,), string: JPEG, PNG, GIF (its first
    frame), BMP or WebP; `serve_uint8` and `serve_float` on images (batch, height, width, channels)
    of values 0 to 255. Outputs: `classes` (batch, k) string and `probabilities` (batch, k), the
    likeliest first, k = min(5, classes); `logits` (batch, classes) in the order of labels.txt.
    """
    model, classes = trained.model, tf.constant(trained.class_names)
    spec = ImageSpec.of(trained.recipe)
    top = min(TOP, len(trained.class_names))

    def answer(images: Any) -> dict[str, Any]:
        logits = tf.cast(model(tf.cast(images, tf.float32), training=False), tf.float32)
        probabilities, order = tf.math.top_k(tf.nn.softmax(logits), top)
        return {
            "classes": tf.gather(classes, order),
            "probabilities": probabilities,
            "logits": logits,
        }

    def decoded(image_bytes: Any) -> dict[str, Any]:
        pixels = tf.map_fn(
            lambda content: graph.decode(content, spec),
            image_bytes,
            fn_output_signature=tf.TensorSpec(spec.shape, tf.uint8),
        )
        return answer(pixels)

    def signature(function: Any, shape: tuple[int | None, ...], dtype: Any, name: str) -> Any:
        wanted = tf.TensorSpec(shape, dtype, name=name)
        return tf.function(function, input_signature=[wanted]).get_concrete_function()

    shape = (None, *spec.shape)
    module = tf.Module()
    module.model = model
    with tempfile.TemporaryDirectory() as aside:
        labels = Path(aside) / LABELS
        write_labels(labels, trained.class_names)
        module.labels = tf.saved_model.Asset(str(labels))
        tf.saved_model.save(
            module,
            str(folder),
            {
                "serving_default": signature(decoded, (None,), tf.string, "image_bytes"),
                "serve_uint8": signature(answer, shape, tf.uint8, "images"),
                "serve_float": signature(answer, shape, tf.float32, "images"),
            },
        )


def keras_file(trained: TrainedRun, folder: Path) -> None:
    """Writes a .keras file of Keras's own layers: images, 0 to 255, to probabilities.

    The class names stand in the archive as labels.txt, which Keras leaves alone.
    """
    logits = plain(trained.model)
    exact = keras.layers.Activation("softmax", name="probabilities", dtype="float32")
    model = keras.Model(logits.inputs[0], exact(logits.outputs[0]), name=logits.name)
    file = Artifact(folder, "keras").model_file
    model.save(file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(LABELS, as_text(trained.class_names))


def _answer(trained: TrainedRun) -> tuple[keras.Model, Any, list[Any]]:
    """The network, a function of float32 images, and its signature, for `onnx` and `litert`."""
    model = plain(trained.model, full_precision=True)
    shape = (None, *ImageSpec.of(trained.recipe).shape)

    def answer(images: Any) -> dict[str, Any]:
        logits = tf.cast(model(images, training=False), tf.float32)
        return {
            "probabilities": tf.identity(tf.nn.softmax(logits), name="probabilities"),
            "logits": tf.identity(logits, name="logits"),
        }

    wanted = tf.TensorSpec(shape, tf.float32, name="images")
    return model, answer, [wanted]


def onnx(trained: TrainedRun, folder: Path) -> None:
    """Writes an ONNX file: `images` float32 in; `probabilities` and `logits` out.

    The class names stand in its metadata as `class_names`, a JSON list.
    """
    import onnx as onnx_format
    import tf2onnx

    _, answer, signature = _answer(trained)
    function = tf.function(answer, input_signature=signature)
    made, _ = tf2onnx.convert.from_function(
        function,
        signature,
        opset=17,
        custom_op_handlers=dict.fromkeys(("Erfc", "Expm1"), (_known, [])),
    )
    names = made.metadata_props.add()
    names.key, names.value = "class_names", json.dumps(trained.class_names)
    made.producer_name = "zoo"
    onnx_format.checker.check_model(made)
    onnx_format.save(made, Artifact(folder, "onnx").model_file)


def _known(graph: Any, node: Any, name: str, _: Any) -> None:
    """Tells tf2onnx of operations it lacks: erfc(x) = 1 - erf(x) in gelu, exp(x) - 1 in celu."""
    (given,), (out,), kind = node.input, node.output, node.type
    shape, dtype = graph.get_shape(out), graph.get_dtype(out)
    graph.remove_node(name)
    one = graph.make_const(f"{name}/one", np.float32(1)).output[0]
    other = graph.make_node("Erf" if kind == "Erfc" else "Exp", [given]).output[0]
    inputs = [one, other] if kind == "Erfc" else [other, one]
    graph.make_node("Sub", inputs, name=name, outputs=[out], shapes=[shape], dtypes=[dtype])


def litert(trained: TrainedRun, folder: Path) -> None:
    """Writes a .tflite file with one signature, `serving_default`: in and out as `onnx`.

    The class names are attached as labels.txt, as TensorFlow Lite attaches files: a zip archive
    behind the model.
    """
    model, answer, signature = _answer(trained)
    archive = keras.export.ExportArchive()
    archive.track(model)  # Else the file reads variables that it does not hold.
    archive.add_endpoint("serving_default", answer, input_signature=signature)
    with tempfile.TemporaryDirectory() as aside:
        archive.write_out(aside, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            aside, signature_keys=["serving_default"]
        )
        content = converter.convert()
    file = Artifact(folder, "litert").model_file
    file.write_bytes(content)
    with zipfile.ZipFile(file, "a") as attached:
        attached.writestr(LABELS, as_text(trained.class_names))


def as_text(classes: list[str]) -> str:
    """Class names, a line each, in the order of the logits."""
    return "".join(f"{name}\n" for name in classes)


def write_labels(file: Path, classes: list[str]) -> None:
    file.write_text(as_text(classes), encoding="utf-8")


FORMATS = {
    "saved_model": Format(
        saved_model,
        {"serving_default": "files", "serve_uint8": "uint8", "serve_float": "float32"},
    ),
    "keras": Format(keras_file, {"call": "float32"}),
    "onnx": Format(
        onnx,
        {"images": "float32"},
        needs=("tf2onnx", "onnx", "onnxruntime"),
        extra="onnx",
        full_precision=True,
    ),
    "litert": Format(litert, {"serving_default": "float32"}, full_precision=True),
}
