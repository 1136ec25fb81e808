"""Metrics of a trained run on a split it was not trained on. The one place that reads `test`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics

from zoo import losses
from zoo.artifact.trained_run import TrainedRun, softmax
from zoo.data.cache import silent
from zoo.data.load import load as load_data
from zoo.errors import DataError
from zoo.progress import Report
from zoo.rundir import write_json

OVERALL = ("accuracy", "top5_accuracy", "loss", "ece")
BINS = 15  # of the calibration error: Guo et al. 2017


def evaluate(
    trained: TrainedRun,
    split: str = "test",
    progress: Report | None = None,
    tta: str | None = None,
) -> dict[str, Any]:
    """Evaluates the best model of a run; for `test` the result is kept in evaluation.json.

    Args:
        trained: the run.
        split: `test` or `validation`.
        progress: told how far reading the data is.
        tta: test-time augmentation beside the plain figures; None: the recipe's `evaluate.tta`.

    Returns:
        accuracy, top5_accuracy, loss, ece, per_class, confusion_matrix (rows: true class), images;
        with test-time augmentation also `tta`: its kind, accuracy, top5_accuracy, loss and ece.

    Raises:
        DataError: the split does not exist, or the data are not those of the run.
    """
    recipe, info = trained.recipe, trained.info
    data = load_data(recipe, progress=progress or silent)
    if data.fingerprint != info["data"]["fingerprint"]:
        raise DataError(
            f"the data changed since {trained.run} was trained: its test images may have been "
            "trained on. Bring the old data back, or train again."
        )
    chosen = data.test if split == "test" else data.validation
    if chosen is None:
        raise DataError(
            "the data have no test split. Add a test/ folder, or set "
            "data.source.folder.test_split or data.source.tfds.test, and train again."
        )
    logits = trained.logits(chosen)
    result = {"split": split, **measured(logits, chosen.labels, trained.class_names)}
    result["loss"] = _loss(recipe.train.loss, logits, chosen.labels)
    kind = tta or recipe.evaluate.tta
    if kind:
        views = trained.logits(chosen, kind)
        found = measured(views, chosen.labels, trained.class_names)
        found["loss"] = _loss(recipe.train.loss, views, chosen.labels)
        result["tta"] = {"kind": kind, **{key: found[key] for key in OVERALL}}
    if split == "test":
        # Asked anew: the same object may have evaluated before.
        count = int(trained.run.info().get("test_evaluations", 0)) + 1
        result["test_evaluations"] = count
        write_json(trained.run.evaluation_file, result)
        trained.run.update(test_evaluations=count)
    return result


def _loss(choice: Any, logits: np.ndarray, labels: np.ndarray) -> float:
    """The data loss, without label smoothing and penalties: comparable between recipes."""
    plain = losses.SoftmaxCrossEntropy() if choice.word == "softmax" else losses.make(choice)
    values = [
        np.asarray(plain(labels[i : i + 4096], logits[i : i + 4096])) * len(labels[i : i + 4096])
        for i in range(0, len(labels), 4096)
    ]
    return float(np.sum(values) / len(labels))


def measured(logits: np.ndarray, labels: np.ndarray, class_names: list[str]) -> dict[str, Any]:
    """Metrics of logits (images, classes) against labels (images,)."""
    classes = list(range(len(class_names)))
    guesses = logits.argmax(axis=1)
    probabilities = softmax(logits)
    k = min(5, len(classes))
    # Of equal scores the first classes count, as in argmax: a constant answer is right for five.
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, guesses, labels=classes, zero_division=0.0
    )
    return {
        "images": len(labels),
        "accuracy": float(np.mean(guesses == labels)),
        "top5_accuracy": float(np.mean((best == labels[:, None]).any(axis=1))),
        "ece": calibration_error(probabilities, labels),
        "per_class": [
            {
                "class": name,
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "images": int(support[i]),
            }
            for i, name in enumerate(class_names)
        ],
        "confusion_matrix": metrics.confusion_matrix(labels, guesses, labels=classes).tolist(),
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: mean |accuracy - confidence| over equal-width bins.

    Args:
        probabilities: (images, classes).
        labels: (images,).
        bins: number of bins of the largest probability.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(index, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
