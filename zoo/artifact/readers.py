"""Opens an export and calls it with nothing but the format's own runtime, as a client would.

`zoo predict` imports this module. The parity gate runs a copy of it as a script, where `import zoo`
fails, and except for .keras files `import keras` too:

usage: readers.py FORMAT MODEL WORK [ACTIVATION]

ACTIVATION, `softmax` or `sigmoid`, makes probabilities of all classes of a SavedModel's logits; its
own probabilities are those of the likeliest classes. WORK holds `pixels.npy`, uint8 (n, height,
width, channels), and encoded images `files/0`,
`files/1`, ... The script writes `out.npz`: `labels`, and for each signature

    SIGNATURE/probabilities       (n, classes), in the order of the labels
    SIGNATURE/again               the same, from a second pass with another batch size
    SIGNATURE/top_classes         (n, k), the likeliest first, if the export answers them
    SIGNATURE/top_probabilities   (n, k), likewise
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

PARTS = "plugins.json"  # In WORK: parts of the user's own that the file needs; see `register`.
Call = Callable[[np.ndarray], dict[str, np.ndarray]]
# Labels; and by signature, the kind of input (`files`, `uint8` or `float32`) and the function.
OpenedExport = tuple[list[str], dict[str, tuple[str, Call]]]


def main() -> None:
    """Runs the script."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    format, model, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    # A blocked import proves that the export does not need the package.
    blocked = {
        "keras": ("zoo", "sklearn", "matplotlib"),
        "onnx": ("zoo", "keras", "tensorflow"),
        "saved_model": ("zoo", "keras", "jax"),  # TensorFlow imports JAX if it can: a second.
    }
    parts = json.loads((work / PARTS).read_text()) if (work / PARTS).exists() else []
    for name in blocked.get(format, ("zoo", "keras")):
        if not (parts and name == "zoo"):
            sys.modules[name] = None  # type: ignore[assignment]
    if parts:
        register(parts)
    write_answers(format, model, work, *sys.argv[4:])


def register(parts: list[dict[str, str]]) -> None:
    """Runs the parts of the user's own that a .keras file needs, so that Keras knows them.

    Args:
        parts: `reference`, `file` and `text` of each; the text is what the user allowed.
    """
    from zoo.plugins import reading, running, source

    source.hand_over({part["file"]: part["text"] for part in parts})
    for part in parts:
        running.load(reading.read_one(part["reference"]))


def write_answers(format: str, model: Path, work: Path, activation: str = "softmax") -> None:
    """Opens an export and writes its answers to the files in WORK, as said above.

    Args:
        format: a key of `READERS`.
        model: its file or folder.
        work: a folder with `pixels.npy` and `files`; it receives `out.npz`.
        activation: what makes probabilities of logits.
    """
    labels, calls = open_export(format, model, activation)
    pixels = np.load(work / "pixels.npy")
    count = len(list((work / "files").glob("*")))
    files = [(work / "files" / str(i)).read_bytes() for i in range(count)]
    results = {"labels": np.array(labels)}
    for signature, (kind, call) in calls.items():
        images = np.array(files, object) if kind == "files" else pixels.astype(kind)
        # An export must not depend on how images are batched: compare two batch sizes.
        once, again = in_batches(call, images, 64), in_batches(call, images, 50)
        for key, value in once.items():
            results[f"{signature}/{key}"] = value
        results[f"{signature}/again"] = again["probabilities"]
    np.savez(work / "out.npz", **results)  # type: ignore[arg-type]


def open_export(format: str, model: Path, activation: str) -> OpenedExport:
    """Opens an export.

    Args:
        format: a key of `READERS`.
        model: its file or folder.
        activation: `softmax` or `sigmoid`: what makes probabilities of its logits.
    """
    if format == "saved_model" and activation == "sigmoid":
        return saved_model(model, sigmoid)
    return READERS[format](model)


def in_batches(call: Call, images: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Calls a model on batches of `size` images and joins the outputs."""
    outputs = [call(images[i : i + size]) for i in range(0, len(images), size)]
    return {key: np.concatenate([output[key] for output in outputs]) for key in outputs[0]}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (batch, classes), in float64."""
    powers = np.exp(np.float64(logits) - np.max(logits, axis=-1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (batch, classes), each by itself, in float64."""
    probabilities: np.ndarray = np.exp(-np.logaddexp(0.0, -np.float64(logits)))
    return probabilities


@contextmanager
def plain_path(folder: Path) -> Iterator[str]:
    """Yields a path of a folder that TensorFlow takes for what it is.

    TensorFlow reads `*`, `?` and `[` in paths as patterns, and needs UTF-8. A folder with such a
    path is given as a link with another one, which is removed at the end.
    """
    path = str(folder)
    try:
        path.encode()
        is_plain = not set(path) & set("*?[]{}\\")
    except UnicodeEncodeError:
        is_plain = False
    if is_plain:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="zoo-link-") as scratch:
        link = Path(scratch) / "model"
        link.symlink_to(folder.absolute())
        yield str(link)


def saved_model(
    folder: Path, activation: Callable[[np.ndarray], np.ndarray] = softmax
) -> OpenedExport:
    """Opens a SavedModel with TensorFlow; `activation` makes probabilities of its logits."""
    import tensorflow as tf

    # TF32 keeps 10 bits: on a GPU, two computations would differ by more than the tolerance.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with plain_path(folder) as path:
        loaded = tf.saved_model.load(path)

    def reader(name: str, dtype: Any) -> Call:
        signature = loaded.signatures[name]
        (input_name,) = signature.structured_input_signature[1]

        def call(images: np.ndarray) -> dict[str, np.ndarray]:
            out = signature(**{input_name: tf.constant(images, dtype)})
            return {
                "top_classes": np.char.decode(out["classes"].numpy().astype("S"), "utf-8"),
                "top_probabilities": out["probabilities"].numpy(),
                "probabilities": activation(out["logits"].numpy()),
            }

        return call

    labels = (folder / "assets" / "labels.txt").read_text(encoding="utf-8")
    return split_lines(labels), {
        "serving_default": ("files", reader("serving_default", tf.string)),
        "serve_uint8": ("uint8", reader("serve_uint8", tf.uint8)),
        "serve_float": ("float32", reader("serve_float", tf.float32)),
    }


def keras(file: Path) -> OpenedExport:
    """Opens a .keras file with Keras, on any backend, in safe mode."""
    import keras as library

    if library.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
    model = library.saving.load_model(file, safe_mode=True)

    def call(images: np.ndarray) -> dict[str, np.ndarray]:
        return {"probabilities": library.ops.convert_to_numpy(model(images))}

    return attached_labels(file), {"call": ("float32", call)}


def onnx(file: Path) -> OpenedExport:
    """Opens an ONNX file with ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    labels = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])

    def call(images: np.ndarray) -> dict[str, np.ndarray]:
        return {"probabilities": session.run(["probabilities"], {"images": images})[0]}

    return labels, {"images": ("float32", call)}


def litert(file: Path) -> OpenedExport:
    """Opens a .tflite file with LiteRT, or with TensorFlow where LiteRT is not installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import warnings

        warnings.simplefilter("ignore")
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter  # `from tensorflow.lite import` fails since 2.21.
    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()  # Writes a line on stderr: now, and not at a later call.
    runner = interpreter.get_signature_runner("serving_default")
    (image,) = runner.get_input_details().values()
    scale, zero_point = runner.get_output_details()["probabilities"]["quantization"]

    def call(images: np.ndarray) -> dict[str, np.ndarray]:
        channels = int(image["shape"][-1])
        if channels != images.shape[-1]:  # The model of a grey network takes RGB images.
            images = np.repeat(images, channels, axis=-1)
        probabilities = runner(images=images)["probabilities"]
        if scale:  # Quantized to integers; 0 for floats.
            probabilities = np.float32(scale) * (np.float32(probabilities) - zero_point)
        return {"probabilities": probabilities}

    return attached_labels(file), {"serving_default": (np.dtype(image["dtype"]).name, call)}


def attached_labels(file: Path) -> list[str]:
    """Class names in a file that is, or ends with, a zip archive."""
    with zipfile.ZipFile(file) as archive:
        return split_lines(archive.read("labels.txt").decode("utf-8"))


def split_lines(text: str) -> list[str]:
    r"""Splits at \n alone; `str.splitlines` would also split a class name at U+2028."""
    return text.removesuffix("\n").split("\n")


READERS: dict[str, Callable[[Path], OpenedExport]] = {
    "saved_model": saved_model,
    "keras": keras,
    "onnx": onnx,
    "litert": litert,
}

if __name__ == "__main__":
    main()
