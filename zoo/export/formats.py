"""A writer for each format: fills a version's folder from a trained run.

Every export contains the preprocessing with its statistics, and no augmentation.
"""

from __future__ import annotations

import importlib.metadata
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

from zoo.artifact.layout import LABELS, Artifact, label_lines
from zoo.artifact.readers import plain_path
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.decoding.images import ImageSpec
from zoo.errors import UsageError
from zoo.export import graph, litert
from zoo.export.keras_only import keras_only

TOP_CLASSES = 5
MIN_OPSET, DEFAULT_OPSET = 9, 17  # Of ONNX. 9 is the first with erf, an operator of gelu.


@dataclass(frozen=True)
class Format:
    """How to write a format, and what its exports take.

    Attributes:
        write: a function of the run, the folder to fill, and the options of the format.
        signatures: the input of each signature: `files` (encoded images), or `uint8` or `float32`
            arrays.
        needs: modules, besides TensorFlow, that write and read the format.
        extra: the extra of setup.py that installs them.
        full_precision: whether exports of networks trained in 16 bits compute in float32.
    """

    write: Callable[..., None]
    signatures: dict[str, str]
    needs: tuple[str, ...] = ()
    extra: str = ""
    full_precision: bool = False


def saved_model(trained: TrainedRun, folder: Path) -> None:
    """Writes a SavedModel with three signatures.

    `serving_default` takes encoded images (batch,), string: JPEG, PNG, GIF (its first frame), BMP
    or WebP. `serve_uint8` and `serve_float` take images (batch, height, width, channels) with
    values 0 to 255. All return `classes` (batch, k), string, and `probabilities` (batch, k), the
    likeliest first, k = min(5, classes), and `logits` (batch, classes) in the order of labels.txt.
    For images with any number of classes k is the number of classes.
    """
    model, classes = trained.model, tf.constant(trained.class_names)
    spec = ImageSpec.of(trained.recipe)
    top = len(trained.class_names)
    if not trained.multi_label:
        top = min(TOP_CLASSES, top)
    activation = litert.ACTIVATIONS[trained.activation]

    def from_pixels(images: Any) -> dict[str, Any]:
        logits = tf.cast(model(tf.cast(images, tf.float32), training=False), tf.float32)
        probabilities, order = tf.math.top_k(activation(logits), top)
        return {
            "classes": tf.gather(classes, order),
            "probabilities": probabilities,
            "logits": logits,
        }

    def from_files(image_bytes: Any) -> dict[str, Any]:
        pixels = tf.map_fn(
            lambda content: graph.decode(content, spec),
            image_bytes,
            fn_output_signature=tf.TensorSpec(spec.shape, tf.uint8),
        )
        return from_pixels(pixels)

    def signature(function: Any, shape: tuple[int | None, ...], dtype: Any, name: str) -> Any:
        tensor = tf.TensorSpec(shape, dtype, name=name)
        return tf.function(function, [tensor], autograph=False).get_concrete_function()

    shape = (None, *spec.shape)
    module = tf.Module()
    module.model = model
    with tempfile.TemporaryDirectory() as scratch:
        labels = Path(scratch) / LABELS
        write_labels(labels, trained.class_names)
        module.labels = tf.saved_model.Asset(str(labels))
        with plain_path(folder) as path:
            tf.saved_model.save(
                module,
                path,
                {
                    "serving_default": signature(from_files, (None,), tf.string, "image_bytes"),
                    "serve_uint8": signature(from_pixels, shape, tf.uint8, "images"),
                    "serve_float": signature(from_pixels, shape, tf.float32, "images"),
                },
            )


def keras_file(trained: TrainedRun, folder: Path) -> None:
    """Writes a .keras file of Keras's own layers: images, 0 to 255, to probabilities.

    The archive also holds the class names as labels.txt, which Keras ignores.
    """
    logits = keras_only(trained.model)
    activation = keras.layers.Activation(trained.activation, name="probabilities", dtype="float32")
    model = keras.Model(logits.inputs[0], activation(logits.outputs[0]), name=logits.name)
    file = Artifact(folder, "keras").model_file
    model.save(file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(LABELS, label_lines(trained.class_names))


def onnx(trained: TrainedRun, folder: Path, opset: int = DEFAULT_OPSET) -> None:
    """Writes an ONNX file: `images`, float32, to `probabilities` and `logits`.

    Its metadata `class_names` is a JSON list, `image` a JSON object that says what `images` takes:
    layout, order of the channels and range of values; `multi_label` says whether an image has any
    number of classes.

    Args:
        trained: the run.
        folder: the folder to fill.
        opset: version of ONNX's operators.
    """
    import onnx as onnx_format
    import tf2onnx

    model = keras_only(trained.model, full_precision=True)
    activation = litert.ACTIVATIONS[trained.activation]

    def function(images: Any) -> dict[str, Any]:
        logits = tf.cast(model(images, training=False), tf.float32)
        return {
            "probabilities": tf.identity(activation(logits), name="probabilities"),
            "logits": tf.identity(logits, name="logits"),
        }

    shape = (None, *ImageSpec.of(trained.recipe).shape)
    signature = [tf.TensorSpec(shape, tf.float32, name="images")]
    converted, _ = tf2onnx.convert.from_function(
        tf.function(function, signature, autograph=False),
        signature,
        opset=opset,
        custom_op_handlers={"Erfc": (_convert_erfc, [])},
    )
    image = {
        "layout": "NHWC",
        "shape": list(shape[1:]),
        "channels": "RGB" if shape[-1] == 3 else "grey",
        "values": [0, 255],
    }
    metadata = {
        "class_names": trained.class_names,
        "image": image,
        "multi_label": trained.multi_label,
    }
    for key, value in metadata.items():
        entry = converted.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    converted.producer_name = "zoo"
    onnx_format.checker.check_model(converted)
    onnx_format.save(converted, Artifact(folder, "onnx").model_file)


def require_opset(opset: int) -> None:
    """Refuses a version of ONNX's operators that tf2onnx does not write.

    Raises:
        UsageError: names the versions that there are.
    """
    from tf2onnx.constants import OPSET_TO_IR_VERSION

    newest = max(OPSET_TO_IR_VERSION)
    if not MIN_OPSET <= opset <= newest:
        raise UsageError(
            f"--opset {opset}: not possible. Expected {MIN_OPSET} to {newest}: operators of these "
            f"networks are missing before, and tf2onnx "
            f"{importlib.metadata.version('tf2onnx')} writes none after. Default: {DEFAULT_OPSET}."
        )


def _convert_erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Converts erfc(x) = 1 - erf(x), of gelu, which tf2onnx does not know."""
    (x,), (out,) = node.input, node.output
    shape, dtype = graph.get_shape(out), graph.get_dtype(out)
    graph.remove_node(name)
    unit = graph.make_const(f"{name}/one", np.float32(1)).output[0]
    value = graph.make_node("Erf", [x]).output[0]
    graph.make_node("Sub", [unit, value], name=name, outputs=[out], shapes=[shape], dtypes=[dtype])


def write_labels(file: Path, classes: list[str]) -> None:
    """Writes class names, one per line, in the order of the logits."""
    file.write_text(label_lines(classes), encoding="utf-8")


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
    "litert": Format(litert.write, {litert.SIGNATURE: "float32"}, full_precision=True),
}
