"""The gate: an export answers real images in a fresh process, and is compared with the run."""

from __future__ import annotations

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
from zoo.artifact.trained_run import TrainedRun, softmax
from zoo.data.images import ImageSpec, as_png
from zoo.data.splits import Split, Splits
from zoo.errors import ParityError
from zoo.export import graph
from zoo.export.formats import FORMATS
from zoo.export.probes import Probes, probes

TOLERANCE = 1e-4
# What computing in float32 may change of a network that was trained in 16 bits: these have 11 and
# 8 bits of precision.
ROUNDING = {"mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}


def compare(trained: TrainedRun, made: Artifact, data: Splits, work: Path) -> dict[str, Any]:
    """Has the export answer in a fresh process; compares with what the run predicts.

    Args:
        trained: the run.
        made: the export.
        data: whose validation images are compared.
        work: an empty folder.

    Returns:
        What parity.json holds: the worst of all signatures, then each of them, and for encoded
        images each odd size and kind. Differences are of probabilities. `substituted` counts the
        files that training reads and a graph does not, which went in as PNGs of their pixels.

    Raises:
        ParityError: the export cannot be read.
    """
    format = FORMATS[made.format]
    tolerance = TOLERANCE
    if format.full_precision:
        tolerance = ROUNDING.get(trained.recipe.train.dtype_policy, TOLERANCE)
    as_files = "files" in format.signatures.values()
    chosen, substituted = _probes(data.validation, ImageSpec.of(trained.recipe), as_files)
    wanted = _predicted(trained, np.concatenate([chosen.pixels, chosen.odd_pixels]))
    plain = wanted[: len(chosen.pixels)]
    answers = _answers(made, chosen, work)
    labels = trained.class_names
    signatures = {}
    for name, kind in format.signatures.items():
        expected = wanted if kind == "files" else plain
        signatures[name] = _compared(answers, name, expected, labels)
        if kind == "files":
            signatures[name]["cases"] = _cases(answers[f"{name}/probabilities"], wanted, chosen)
    worst = {
        key: max(values[key] for values in signatures.values())
        for key in ("max_abs_diff", "max_repeat_diff")
    }
    named = answers["labels"].tolist() == labels
    return {
        **worst,
        "top1_agreement": min(values["top1_agreement"] for values in signatures.values()),
        "images": len(plain),
        "data_fingerprint": data.fingerprint,
        **({"substituted": substituted} if as_files else {}),
        "tolerance": tolerance,
        "labels": named,
        "passed": named and max(worst.values()) <= tolerance,
        "signatures": signatures,
    }


def _probes(split: Split, spec: ImageSpec, as_files: bool) -> tuple[Probes, int]:
    """Probes, and how many of their files no graph decodes: a PNG of its pixels replaces each."""
    import tensorflow as tf

    found = probes(split, spec)
    if not as_files:
        return found, 0

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def decoded(content: Any) -> Any:
        return graph.decode(content, spec)

    substituted = 0
    for i, content in enumerate(found.files[: len(found.pixels)]):
        try:
            decoded(content)
        except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
            found.files[i] = as_png(found.pixels[i])
            substituted += 1
    return found, substituted


def _predicted(trained: TrainedRun, images: np.ndarray) -> np.ndarray:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # TF32 keeps 10 bits: two ways through a GPU would differ by more than the tolerance.
        tf.config.experimental.enable_tensor_float_32_execution(False)
    return softmax(trained.model.predict(images, batch_size=64, verbose=0))


def _compared(
    answers: dict[str, np.ndarray], name: str, expected: np.ndarray, labels: list[str]
) -> dict[str, Any]:
    found = answers[f"{name}/probabilities"]
    if found.shape != expected.shape:
        raise ParityError(
            f"{name} answers {found.shape[1:]} probabilities an image. Expected "
            f"{expected.shape[1:]}."
        )
    apart = _apart(expected, found)
    best = found.argmax(axis=1)
    if f"{name}/shares" in answers:
        shares, classes = answers[f"{name}/shares"], answers[f"{name}/classes"]
        order = np.argsort(-expected, axis=1, kind="stable")[:, : shares.shape[1]]
        apart = max(apart, _apart(np.take_along_axis(expected, order, axis=1), shares))
        places = {label: i for i, label in enumerate(labels)}
        best = np.array([places.get(label, -1) for label in classes[:, 0].tolist()])
    return {
        "max_abs_diff": apart,
        "max_repeat_diff": _apart(found, answers[f"{name}/again"]),
        "top1_agreement": float(np.mean(best == expected.argmax(axis=1))),
        "images": len(expected),
    }


def _cases(found: np.ndarray, expected: np.ndarray, chosen: Probes) -> dict[str, float]:
    """{what is odd: the largest difference}."""
    cases: dict[str, float] = defaultdict(float)
    for i, name in enumerate(chosen.odd_names, len(chosen.pixels)):
        cases[name] = max(cases[name], _apart(found[i], expected[i]))
    return dict(cases)


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference; what is no number is as far away as JSON can tell."""
    far = float(np.finfo(np.float32).max)
    return float(np.nan_to_num(np.abs(one - other), nan=far, posinf=far).max())


def _answers(made: Artifact, chosen: Probes, work: Path) -> dict[str, np.ndarray]:
    """What the export answers in a process that knows nothing of this package."""
    np.save(work / "pixels.npy", chosen.pixels)
    (work / "files").mkdir()
    for i, content in enumerate(chosen.files):
        (work / "files" / str(i)).write_bytes(content)
    # A copy, away from this package's folder, which Python would put on the script's path.
    shutil.copy(readers.__file__, work / "runtime.py")
    model = made.folder if made.format == "saved_model" else made.model_file
    command = [sys.executable, "runtime.py", made.format, str(model.absolute()), "."]
    done = subprocess.run(command, capture_output=True, text=True, cwd=work)
    if done.returncode:
        raise ParityError(f"the export cannot be read again:\n{done.stderr[-2000:]}")
    with np.load(work / "out.npz", allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}
