"""Opens an export and calls it, with the format's own runtime alone: what a client would write.

`zoo predict` imports it. A parity gate runs it alone, as a script, without zoo or, mostly, Keras:

usage: runtime.py FORMAT MODEL WORK

WORK holds `pixels.npy`, uint8 (n, height, width, channels), and `files/0`, `files/1`, ..., encoded
images. Writes `out.npz`: `SIGNATURE/probabilities`, (n, classes) in the order of the labels,
`SIGNATURE/classes` and `SIGNATURE/shares`, the likeliest first, where the export answers them,
`SIGNATURE/again` of a second time in other batches, and `labels`.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[np.ndarray], dict[str, np.ndarray]]
# The labels, and for each signature what it is fed (`files`, `uint8` or `float32`) and its call.
Opened = tuple[list[str], dict[str, tuple[str, Call]]]


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    format, model, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    # A blocked import shows that the export needs none of these packages.
    blocked = {"keras": ("zoo",), "onnx": ("zoo", "keras", "tensorflow")}
    for name in blocked.get(format, ("zoo", "keras")):
        sys.modules[name] = None  # type: ignore[assignment]
    labels, calls = READERS[format](model)
    pixels = np.load(work / "pixels.npy")
    count = len(list((work / "files").glob("*")))
    files = [(work / "files" / str(i)).read_bytes() for i in range(count)]
    found = {"labels": np.array(labels)}
    for signature, (kind, call) in calls.items():
        fed = np.array(files, object) if kind == "files" else pixels.astype(kind)
        # Two unlike batch sizes: an export must not depend on how images are batched.
        once, again = batched(call, fed, 64), batched(call, fed, 50)
        for key, value in once.items():
            found[f"{signature}/{key}"] = value
        found[f"{signature}/again"] = again["probabilities"]
    np.savez(work / "out.npz", **found)  # type: ignore[arg-type]


def batched(call: Call, images: np.ndarray, size: int) -> dict[str, np.ndarray]:
    parts = [call(images[i : i + size]) for i in range(0, len(images), size)]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, in float64."""
    powers = np.exp(np.float64(logits) - np.max(logits, axis=-1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def saved_model(folder: Path) -> Opened:
    import tensorflow as tf

    # TF32 keeps 10 bits: two ways through a GPU would differ by more than the tolerance.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    loaded = tf.saved_model.load(str(folder))

    def answering(name: str, dtype: Any) -> Call:
        signature = loaded.signatures[name]
        (word,) = signature.structured_input_signature[1]

        def call(fed: np.ndarray) -> dict[str, np.ndarray]:
            out = signature(**{word: tf.constant(fed, dtype)})
            classes = np.char.decode(out["classes"].numpy().astype("S"), "utf-8")
            return {
                "classes": classes,
                "shares": out["probabilities"].numpy(),
                "probabilities": softmax(out["logits"].numpy()),
            }

        return call

    labels = (folder / "assets" / "labels.txt").read_text(encoding="utf-8")
    return lines(labels), {
        "serving_default": ("files", answering("serving_default", tf.string)),
        "serve_uint8": ("uint8", answering("serve_uint8", tf.uint8)),
        "serve_float": ("float32", answering("serve_float", tf.float32)),
    }


def keras(file: Path) -> Opened:
    import keras as library

    if library.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
    model = library.saving.load_model(file, safe_mode=True)

    def call(fed: np.ndarray) -> dict[str, np.ndarray]:
        return {"probabilities": library.ops.convert_to_numpy(model(fed))}

    return attached(file), {"call": ("float32", call)}


def onnx(file: Path) -> Opened:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    labels = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])

    def call(fed: np.ndarray) -> dict[str, np.ndarray]:
        return {"probabilities": session.run(["probabilities"], {"images": fed})[0]}

    return labels, {"images": ("float32", call)}


def litert(file: Path) -> Opened:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import warnings

        warnings.simplefilter("ignore")
        from tensorflow.lite import Interpreter
    reader = Interpreter(model_path=str(file))
    reader.allocate_tensors()  # Says on stderr what it computes with: now, and at no later call.
    runner = reader.get_signature_runner("serving_default")

    def call(fed: np.ndarray) -> dict[str, np.ndarray]:
        return {"probabilities": runner(images=fed)["probabilities"]}

    return attached(file), {"serving_default": ("float32", call)}


def attached(file: Path) -> list[str]:
    """The class names in the zip archive that a file is, or ends with."""
    with zipfile.ZipFile(file) as archive:
        return lines(archive.read("labels.txt").decode("utf-8"))


def lines(text: str) -> list[str]:
    """Of a text file; `splitlines` would split a name at U+2028, too."""
    return text.removesuffix("\n").split("\n")


READERS: dict[str, Callable[[Path], Opened]] = {
    "saved_model": saved_model,
    "keras": keras,
    "onnx": onnx,
    "litert": litert,
}

if __name__ == "__main__":
    main()
