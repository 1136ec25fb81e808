"""The parity gate: compares the answers of an export, in a fresh process, with those of its run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.artifact import readers
from zoo.artifact.layout import Artifact
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.decoding.images import ImageSpec, as_png
from zoo.datasets.spec import ALPHA
from zoo.datasets.splits import Split, Splits
from zoo.errors import ParityError
from zoo.export import graph
from zoo.export.formats import FORMATS
from zoo.export.limits import limits
from zoo.export.probes import Probes, make_probes, validation_indices
from zoo.files.storage import code_in
from zoo.labels import is_multi_label
from zoo.multi_label import THRESHOLD
from zoo.plan import own_layers
from zoo.plugins import permission
from zoo.text.shortened import process_ending


def compare(
    trained: TrainedRun,
    artifact: Artifact,
    data: Splits,
    work: Path,
    quantize: str | None = None,
) -> dict[str, Any]:
    """Compares the answers of an export, in a fresh process, with the run's predictions.

    Args:
        trained: the run.
        artifact: the export.
        data: holds the validation images to compare on.
        work: an empty folder.
        quantize: None, or the quantization of the export.

    Returns:
        Contents of parity.json; differences are between probabilities.

        - max_abs_diff: largest difference between the export and the run.
        - max_repeat_diff: largest difference between two answers of the export to the same images.
        - mean_diff: mean over images of an image's largest difference.
        - top1_agreement: fraction of images with the same most probable class, from 0 to 1.
        - label_agreement: for images with any number of classes only: fraction of equal answers
          from a probability of 0.5 on, all classes of all images counted.
        - images: number of validation images compared.
        - data_fingerprint: fingerprint of the data.
        - substituted: with encoded images only: number of files that training reads and a graph
          does not; PNGs of their pixels replaced them.
        - tolerance: limit of the first two.
        - labels: whether the export's class names are the run's.
        - passed: whether the labels agree and no limit is exceeded (`zoo.export.limits`).
        - exceeded: the limits that are exceeded, as text; only where there are any.
        - accuracy: of quantized exports only: `run` and `export`, the fractions of the images
          whose most probable class is right; for images with any number of classes, all classes.
        - doubtful: of those, whether so many images disagree that a warning is due.
        - signatures: by name, the first four values and `images` for each signature; for encoded
          images also `cases`, the largest difference for each unusual size and kind of image.

    Raises:
        ParityError: the export cannot be read, or answers another number of classes; the run
            answers NaN or infinity.
        OSError: the disk is full.
    """
    format = FORMATS[artifact.format]
    takes_files = "files" in format.signatures.values()
    probes = make_probes(data.validation, ImageSpec.of(trained.recipe))
    substituted = _substitute_undecodable(probes, trained.spec) if takes_files else 0
    expected = _predict(trained, np.concatenate([probes.pixels, probes.variant_pixels]))
    _write_parts(trained, artifact, work)
    answers = _answers(artifact, probes, work, trained.activation)
    signatures = _compare_signatures(answers, format.signatures, expected, probes, trained)
    allowed = limits(format.full_precision, trained.recipe.train.dtype_policy, quantize)
    same_labels = answers["labels"].tolist() == trained.class_names
    keys = ("max_abs_diff", "max_repeat_diff", "mean_diff")
    parity = {
        **{key: max(values[key] for values in signatures.values()) for key in keys},
        "top1_agreement": min(values["top1_agreement"] for values in signatures.values()),
        **_label_agreement(signatures),
        "images": len(probes.pixels),
        "data_fingerprint": data.fingerprint,
        **({"substituted": substituted} if takes_files else {}),
        "tolerance": allowed.tolerance,
        "labels": same_labels,
    }
    exceeded = allowed.exceeded(parity)
    if exceeded:
        parity["exceeded"] = exceeded
    if quantize:
        quantized = answers[f"{next(iter(signatures))}/probabilities"]
        parity["accuracy"] = _accuracies(data.validation, run=expected, export=quantized)
        parity["doubtful"] = allowed.doubtful(parity)
    return {**parity, "passed": same_labels and not exceeded, "signatures": signatures}


def _label_agreement(signatures: dict[str, Any]) -> dict[str, float]:
    """The least agreement of labels over the signatures, where it was measured."""
    measured = [
        values["label_agreement"] for values in signatures.values() if "label_agreement" in values
    ]
    return {"label_agreement": min(measured)} if measured else {}


def _compare_signatures(
    answers: dict[str, np.ndarray],
    kinds: dict[str, str],
    expected: np.ndarray,
    probes: Probes,
    trained: TrainedRun,
) -> dict[str, Any]:
    """The comparison of each signature, whose kind of input is `files` or pixels."""
    signatures = {}
    for name, kind in kinds.items():
        wanted = expected if kind == "files" else expected[: len(probes.pixels)]
        signatures[name] = _compare_signature(answers, name, wanted, trained.class_names)
        if trained.multi_label:
            same = (answers[f"{name}/probabilities"] >= THRESHOLD) == (wanted >= THRESHOLD)
            signatures[name]["label_agreement"] = float(same.mean())
        if kind == "files":
            probabilities = answers[f"{name}/probabilities"]
            signatures[name]["cases"] = _variant_differences(probabilities, expected, probes)
    return signatures


def _substitute_undecodable(probes: Probes, spec: ImageSpec) -> int:
    """Replaces validation files that no graph decodes by PNGs of their pixels; counts them."""
    import tensorflow as tf

    def traced(content: Any) -> Any:
        return graph.decode(content, spec)

    decode = tf.function(traced, [tf.TensorSpec((), tf.string)], autograph=False)
    substituted = 0
    for i, content in enumerate(probes.files[: len(probes.pixels)]):
        try:
            decode(content)
        except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
            probes.files[i] = as_png(probes.pixels[i], as_alpha=spec.transparency == ALPHA)
            substituted += 1
    return substituted


def _predict(trained: TrainedRun, images: np.ndarray) -> np.ndarray:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # TF32 keeps 10 bits: on a GPU, two computations would differ by more than the tolerance.
        tf.config.experimental.enable_tensor_float_32_execution(False)
    logits = trained.model.predict(images, batch_size=64, verbose=0)
    if not np.isfinite(logits).all():
        raise ParityError("the model answers NaN or infinity to images of the run's data.")
    return trained.as_probabilities(logits)


def _compare_signature(
    answers: dict[str, np.ndarray], name: str, expected: np.ndarray, labels: list[str]
) -> dict[str, Any]:
    probabilities = answers[f"{name}/probabilities"]
    if probabilities.shape != expected.shape:
        raise ParityError(
            f"{name} answers {probabilities.shape[1:]} probabilities per image. Expected "
            f"{expected.shape[1:]}."
        )
    difference = max_difference(expected, probabilities)
    best = probabilities.argmax(axis=1)
    if f"{name}/top_probabilities" in answers:
        top, classes = answers[f"{name}/top_probabilities"], answers[f"{name}/top_classes"]
        order = np.argsort(-expected, axis=1, kind="stable")[:, : top.shape[1]]
        top_difference = max_difference(np.take_along_axis(expected, order, axis=1), top)
        difference = max(difference, top_difference)
        index = {label: i for i, label in enumerate(labels)}
        best = np.array([index.get(label, -1) for label in classes[:, 0].tolist()])
    return {
        "max_abs_diff": difference,
        "max_repeat_diff": max_difference(probabilities, answers[f"{name}/again"]),
        "mean_diff": float(_image_differences(expected, probabilities).mean()),
        "top1_agreement": float(np.mean(best == expected.argmax(axis=1))),
        "images": len(expected),
    }


def _variant_differences(
    probabilities: np.ndarray, expected: np.ndarray, probes: Probes
) -> dict[str, float]:
    """The largest difference for each name of a variant."""
    differences: dict[str, float] = defaultdict(float)
    for i, name in enumerate(probes.variant_names, len(probes.pixels)):
        difference = max_difference(probabilities[i], expected[i])
        differences[name] = max(differences[name], difference)
    return dict(differences)


def _accuracies(split: Split, **probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy, by name, of probabilities of the validation images that are compared."""
    right = split.labels[validation_indices(split)]
    if is_multi_label(right):
        return {
            name: float(np.mean(((values[: len(right)] >= THRESHOLD) == right).all(axis=1)))
            for name, values in probabilities.items()
        }
    return {
        name: float(np.mean(values[: len(right)].argmax(axis=1) == right))
        for name, values in probabilities.items()
    }


def max_difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest absolute difference; NaN and infinity become the largest float32, for JSON."""
    return float(_image_differences(a, b).max())


def _image_differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The largest absolute difference of each row."""
    largest = float(np.finfo(np.float32).max)
    differences = np.nan_to_num(np.abs(a - b), nan=largest, posinf=largest)
    return np.asarray(differences.max(axis=tuple(range(1, differences.ndim))))


def _write_parts(trained: TrainedRun, artifact: Artifact, work: Path) -> None:
    """Hands the parts of the user's own that a .keras file needs on to its reader."""
    parts = own_layers.needed(trained.recipe) if artifact.format == "keras" else []
    if parts:
        texts = permission.texts()
        entries = [
            {"reference": part.origin.reference, "file": str(part.origin.file)} for part in parts
        ]
        for entry in entries:
            entry["text"] = texts[entry["file"]]
        (work / readers.PARTS).write_text(json.dumps(entries), encoding="utf-8")


def _answers(
    artifact: Artifact, probes: Probes, work: Path, activation: str = "softmax"
) -> dict[str, np.ndarray]:
    """Runs the export in a process that cannot import zoo; see `zoo.artifact.readers`.

    Only parts of the user's own need it: their files may import it.
    """
    np.save(work / "pixels.npy", probes.pixels)
    (work / "files").mkdir()
    for i, content in enumerate(probes.files):
        (work / "files" / str(i)).write_bytes(content)
    # A copy: Python puts a script's own folder on its path, and that one belongs to zoo.
    shutil.copy(readers.__file__, work / "readers.py")
    model = artifact.folder if artifact.format == "saved_model" else artifact.model_file
    # Relative: the folders above may have names that a runtime takes for patterns, or cannot hold.
    path = os.path.relpath(model.absolute(), work.absolute())
    command = [sys.executable, "readers.py", artifact.format, path, "."]
    command += [activation] if activation != "softmax" else []
    paths = (str(Path(readers.__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    process = subprocess.run(
        command, capture_output=True, text=True, cwd=work,
        env=environment if (work / readers.PARTS).exists() else None,
    )  # fmt: skip
    if process.returncode:
        code = code_in(process.stderr)
        if code is not None:
            raise OSError(code, os.strerror(code), str(work))
        how = process_ending(process.returncode, process.stderr)
        raise ParityError(f"the export cannot be read again: {how}")
    with np.load(work / "out.npz", allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}
