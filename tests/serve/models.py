"""Tiny SavedModels, made with TensorFlow alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("dark", "middling", "bright")
SIDE = 8


def half_plus_three(folder: Path) -> Path:
    """The toy model of TensorFlow Serving's documentation: y = x / 2 + 3, in a graph of TF 1."""
    import tensorflow as tf

    v1 = tf.compat.v1
    constants = v1.saved_model.signature_constants
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        parsed = tf.io.parse_example(serialized, features)
        x = tf.identity(parsed["x"], name="x")
        a, b = v1.Variable(0.5), v1.Variable(3.0)
        y = tf.add(tf.multiply(a, x), b, name="y")
        scores = tf.concat([y, y + 1], axis=1)
        classes = tf.tile(tf.constant([["low", "high"]]), [tf.shape(y)[0], 1])

        def info(tensor: Any) -> Any:
            return v1.saved_model.utils.build_tensor_info(tensor)

        def signature(method: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
            return v1.saved_model.signature_def_utils.build_signature_def(
                {name: info(tensor) for name, tensor in inputs.items()},
                {name: info(tensor) for name, tensor in outputs.items()},
                method,
            )

        examples = {"inputs": serialized}
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": signature(constants.PREDICT_METHOD_NAME, {"x": x}, {"y": y}),
                "tensorflow/serving/regress": signature(
                    constants.REGRESS_METHOD_NAME, examples, {"outputs": y}
                ),
                "classify_x_to_y": signature(
                    constants.CLASSIFY_METHOD_NAME, examples, {"scores": scores}
                ),
                "classify_named": signature(
                    constants.CLASSIFY_METHOD_NAME, examples, {"scores": scores, "classes": classes}
                ),
            },
        )
        builder.save()
    return folder


def pictures(folder: Path, gain: float = 1.0) -> Path:
    """A classifier of images by brightness, with signatures on files and on arrays."""
    import tensorflow as tf

    def answer(images: Any) -> dict[str, Any]:
        mean = tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2, 3])
        logits = gain * tf.stack([128.0 - mean, 64.0 - tf.abs(mean - 128.0), mean - 128.0], axis=1)
        probabilities, order = tf.math.top_k(tf.nn.softmax(logits / 64.0), 3)
        return {
            "classes": tf.gather(tf.constant(CLASSES), order),
            "probabilities": probabilities,
            "logits": logits,
        }

    def decode(data: Any) -> Any:
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        return tf.image.resize(image, [SIDE, SIDE])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def files(image_bytes: Any) -> dict[str, Any]:
        images = tf.map_fn(
            decode, image_bytes, fn_output_signature=tf.TensorSpec([SIDE, SIDE, 3], tf.float32)
        )
        return answer(images)

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8, "images")])
    def arrays(images: Any) -> dict[str, Any]:
        return answer(images)

    module = tf.Module()
    tf.saved_model.save(
        module,
        str(folder),
        {
            "serving_default": files.get_concrete_function(),
            "serve_uint8": arrays.get_concrete_function(),
        },
    )
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "labels.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    return folder


def several(folder: Path) -> Path:
    """Functions of several inputs, of every type, with and without a batch."""
    import tensorflow as tf

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "tag"),
            tf.TensorSpec([None, 5], tf.int32, "signal"),
            tf.TensorSpec([None, 2, 2], tf.float32, "sensor"),
        ]
    )
    def three(tag: Any, signal: Any, sensor: Any) -> dict[str, Any]:
        return {
            "tag_bytes": tag,
            "tag": tf.strings.upper(tag),
            "sum": tf.reduce_sum(signal, axis=1),
            "trace": tf.linalg.trace(sensor),
        }

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "x")])
    def scalar(x: Any) -> dict[str, Any]:
        return {"y": 2.0 * x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def inverse(x: Any) -> dict[str, Any]:
        return {"y": 1.0 / x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def total(x: Any) -> dict[str, Any]:
        return {"y": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.bool, "x")])
    def negated(x: Any) -> dict[str, Any]:
        return {"y": tf.logical_not(x)}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
    def free(x: Any) -> dict[str, Any]:
        return {"y": x + 1.0}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.complex64, "x")])
    def complexes(x: Any) -> dict[str, Any]:
        return {"y": tf.math.real(x)}

    functions = {
        "three": three, "scalar": scalar, "inverse": inverse, "total": total, "negated": negated,
        "free": free, "complexes": complexes,
    }  # fmt: skip
    module = tf.Module()
    signatures = {name: of.get_concrete_function() for name, of in functions.items()}
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def png(brightness: int, side: int = SIDE) -> bytes:
    """An image of one grey, as a file."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), brightness, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
