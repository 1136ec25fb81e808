"""Writes an export, has a fresh process answer with it, and keeps it only if the answers agree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.data.load import load as load_data
from zoo.errors import EnvironmentFault, ParityError
from zoo.export import reader as fresh_reader
from zoo.run import write_json
from zoo.trained import Trained, softmax

TOLERANCE = 1e-4
IMAGES = 512


def export(trained: Trained, form: str = "saved_model") -> dict[str, Any]:
    """Exports the best model of a run.

    Args:
        trained: the run.
        form: a key of `FORMATS`.

    Returns:
        path, format, parity: what `zoo export --json` prints.

    Raises:
        ParityError: the export predicts something else than the model; parity.json tells, and
            nothing that could be served is left.
        EnvironmentFault: TensorFlow, which writes SavedModels, is not installed.
    """
    if keras.backend.backend() != "tensorflow":
        return _by_tensorflow(trained, form)
    folder = trained.run.export_folder(form)
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / trained.info["name"] / "1"
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as aside:
        made = Path(aside) / "1"
        FORMATS[form](trained, made)
        parity = compare(trained, made, Path(aside))
        write_json(folder / "parity.json", parity)
        if not parity["passed"]:
            # An older export is of an older comparison; nothing that could be served stays.
            shutil.rmtree(final.parent, ignore_errors=True)
            raise ParityError(
                f"the export predicts something else than the model: probabilities differ by "
                f"{parity['max_abs_diff']:.3g}, two calls by {parity['max_repeat_diff']:.3g}. "
                f"Expected at most {TOLERANCE:g}. Nothing was exported; see {folder}/parity.json."
            )
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():  # The old one serves until the new one has passed.
            final.rename(Path(aside) / "old")
        made.rename(final)
    return {"path": str(final), "format": form, "parity": parity}


def _by_tensorflow(trained: Trained, form: str) -> dict[str, Any]:
    """Exports in another process, since one process has one backend."""
    command = [sys.executable, "-m", "zoo", "export", str(trained.run), "--format", form, "--json"]
    command += [word for change in trained.sets for word in ("--set", change)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    import json

    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise EnvironmentFault(f"the export through TensorFlow failed: {done.stderr}") from None
    if "error" in answer:
        kind = ParityError if answer["error"]["kind"] == "parity" else EnvironmentFault
        raise kind(answer["error"]["message"])
    return answer


def compare(trained: Trained, made: Path, work: Path) -> dict[str, Any]:
    """Has the export answer real validation images in a fresh process; compares with `predict`."""
    import tensorflow as tf

    # TF32 keeps 10 bits: two ways through a GPU would differ by more than the tolerance.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    split = load_data(trained.recipe).validation
    chosen = np.arange(len(split))[:: max(1, len(split) // IMAGES)][:IMAGES]
    images = split.images(chosen)
    expected = softmax(trained.model.predict(images, batch_size=64, verbose=0))
    np.save(work / "images.npy", images)
    answers = _answers(made, work)
    wanted = np.array(trained.class_names)[expected.argmax(axis=1)]
    signatures = {}
    for name in ("serving_default", "serve_uint8"):
        first = answers[f"{name}/probabilities"]
        order = np.argsort(-expected, axis=1, kind="stable")[:, : first.shape[1]]
        logits, again = answers[f"{name}/logits"], answers[f"{name}/logits/again"]
        sorted_diff = _apart(np.take_along_axis(expected, order, axis=1), first)
        full_diff = _apart(expected, softmax(logits))
        signatures[name] = {
            "max_abs_diff": max(sorted_diff, full_diff),
            "max_repeat_diff": _apart(logits, again),
            "top1_agreement": float(np.mean(answers[f"{name}/classes"][:, 0] == wanted)),
        }
    worst = {
        key: max(values[key] for values in signatures.values())
        for key in ("max_abs_diff", "max_repeat_diff")
    }
    agreement = min(values["top1_agreement"] for values in signatures.values())
    return {
        **worst,
        "top1_agreement": agreement,
        "images": len(images),
        "tolerance": TOLERANCE,
        "passed": worst["max_abs_diff"] <= TOLERANCE and worst["max_repeat_diff"] <= TOLERANCE,
        "signatures": signatures,
    }


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; what is no number is as far away as JSON can tell."""
    far = float(np.finfo(np.float32).max)
    return float(np.nan_to_num(np.abs(one - other), nan=far, posinf=far).max())


def _answers(made: Path, work: Path) -> dict[str, np.ndarray]:
    """What the export answers in a process that knows nothing of this package or Keras."""
    # A copy, away from this package's folder, which Python would put on the script's path.
    shutil.copy(fresh_reader.__file__, work / "reader.py")
    command = [sys.executable, "reader.py", made.name, "images.npy", "out"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=work)
    if done.returncode:
        raise ParityError(f"the export cannot be read again:\n{done.stderr[-2000:]}")
    with np.load(work / "out.npz", allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def saved_model(trained: Trained, folder: Path) -> None:
    """Writes a SavedModel: raw images in; sorted class names and probabilities, and logits out.

    Signatures: `serving_default` on float32 images (batch, height, width, channels) with values 0
    to 255, and `serve_uint8` on the same as uint8. Preprocessing is inside, augmentation never.
    """
    import tensorflow as tf

    model, classes = trained.model, tf.constant(trained.class_names)
    top = min(5, len(trained.class_names))

    def answer(images: Any) -> dict[str, Any]:
        logits = tf.cast(model(tf.cast(images, tf.float32), training=False), tf.float32)
        probabilities, order = tf.math.top_k(tf.nn.softmax(logits), top)
        return {
            "classes": tf.gather(classes, order),
            "probabilities": probabilities,
            "logits": logits,
        }

    def signature(dtype: Any) -> Any:
        spec = tf.TensorSpec((None, *model.input_shape[1:]), dtype, name="images")
        return tf.function(answer, input_signature=[spec]).get_concrete_function()

    module = tf.Module()
    module.model = model
    tf.saved_model.save(
        module,
        str(folder),
        {"serving_default": signature(tf.float32), "serve_uint8": signature(tf.uint8)},
    )


FORMATS: dict[str, Callable[[Trained, Path], None]] = {"saved_model": saved_model}
