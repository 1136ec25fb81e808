"""Metrics of a trained run on validation or test data. Nothing else evaluates on the test split."""

from __future__ import annotations

import contextlib
import math
import time
from typing import Any

import numpy as np
from sklearn import metrics

from zoo import class_metrics, losses, multi_label_metrics, report_record
from zoo.artifact.trained_run import TrainedRun, sigmoid, softmax
from zoo.datasets.load import load as load_data
from zoo.errors import DataError, StorageFault
from zoo.labels import is_multi_label
from zoo.plugins import keras_parts
from zoo.progress import Progress, no_progress
from zoo.recipe.monitors import CLASS_METRICS, MULTI_LABEL_METRICS
from zoo.rundir import write_json

OVERALL = ("accuracy", "top5_accuracy", "loss", "ece", *CLASS_METRICS)
OVERALL_MULTI_LABEL = ("accuracy", "hamming_loss", "loss", "ece", *MULTI_LABEL_METRICS)
BINS = 15  # Of the calibration error, as in Guo et al. 2017.


def evaluate(
    trained: TrainedRun,
    split: str = "test",
    progress: Progress = no_progress,
    tta: str | None = None,
) -> dict[str, Any]:
    """Evaluates the best model of a run; stores the result for `test` in evaluation.json.

    Keeps what a report shows, too: predictions and small images (`zoo.report_record`).

    Args:
        trained: the run.
        split: `test` or `validation`.
        progress: called with the progress of reading the data.
        tta: test-time augmentation to report beside the plain metrics; None: `evaluate.tta` of the
            recipe.

    Returns:
        split, images, accuracy, top5_accuracy, loss, ece; balanced_accuracy, f1, recall and auc,
        which weigh classes alike (see `zoo.class_metrics`); never_predicted (names of the classes
        that have images, but that none was taken for), per_class, confusion_matrix (rows are true
        classes); for `test` also test_evaluations, the number of evaluations so far; with test-time
        augmentation also `tta`: its kind, and its metrics up to auc. Of images with any number of
        classes accuracy is the share of images with all classes right at a threshold of 0.5, and
        there are multi_label (true), hamming_loss, mean_average_precision, micro_f1,
        multilabel_confusion_matrix (of each class, as scikit-learn's), and average_precision and
        auc in per_class; top5_accuracy, balanced_accuracy and confusion_matrix are None.

    Raises:
        DataError: the split does not exist, or the data or their classes are not those of the run.
        WrongModel: the run's model is not its own, or answers NaN.
        DamagedFile: a file of the run was cut, edited or is another run's.
        StorageFault: the result cannot be written; it is in the error's `facts`.
    """
    recipe, info = trained.recipe, trained.info
    data = load_data(recipe, progress=progress)
    if data.fingerprint != info["data"]["fingerprint"]:
        raise DataError(
            f"the data changed since {trained.run} was trained: its test images may have been "
            "trained on. Bring the old data back, or train again."
        )
    trained.require_same_classes(data)
    images = data.test if split == "test" else data.validation
    if images is None:
        raise DataError(
            "the data have no test split. Add a test/ folder, rows or shards of test, or set "
            "test_split of data.source.folder, csv or shards, or data.source.tfds.test, and train "
            "again."
        )

    began = time.perf_counter()
    logits = trained.logits(images)
    seconds = round(time.perf_counter() - began, 3)

    def metrics_of(logits: np.ndarray) -> dict[str, Any]:
        loss = mean_loss(recipe.train.loss, logits, images.labels)
        by_sigmoid = trained.activation == "sigmoid"
        values = compute_metrics(logits, images.labels, trained.class_names, by_sigmoid)
        return {**values, "loss": loss}

    result = {"split": split, **metrics_of(logits)}
    kind = tta or recipe.evaluate.tta
    if trained.recipe.train.metrics:
        own = trained.recipe.train.metrics
        result["metrics"] = keras_parts.own_metric_values(own, np.asarray(images.labels), logits)
    if kind:
        keys = OVERALL_MULTI_LABEL if trained.multi_label else OVERALL
        with_tta = metrics_of(trained.logits(images, kind))
        result["tta"] = {"kind": kind, **{key: with_tta[key] for key in keys}}
    if split == "test":
        # `trained.info` may be stale: this object may have evaluated before.
        count = int(trained.run.info().get("test_evaluations", 0)) + 1
        result["test_evaluations"] = count
        try:
            write_json(
                trained.run.evaluation_file,
                {**result, "model_sha256": info.get("model_sha256")},
            )
            trained.run.update(test_evaluations=count)
            report_record.record(trained, data, split, images, logits, seconds)
        except StorageFault as error:
            error.facts = result  # What was measured is told, though it cannot be kept.
            raise
    else:
        with contextlib.suppress(StorageFault):  # The run may lie where nothing can be written.
            report_record.record(trained, data, split, images, logits, seconds)
    return result


def mean_loss(choice: Any, logits: np.ndarray, labels: np.ndarray) -> float:
    """The mean data loss. Comparable between recipes: no label smoothing and no penalties.

    Args:
        choice: the recipe's `train.loss`.
        logits: (images, classes).
        labels: in either form of `zoo.labels`.
    """
    options = choice.options.model_dump()
    if "label_smoothing" in options:
        choice = type(choice).model_validate({choice.word: {**options, "label_smoothing": 0.0}})
    loss = losses.make_loss(choice)
    values = [
        np.asarray(loss(labels[i : i + 4096], logits[i : i + 4096])) * len(labels[i : i + 4096])
        for i in range(0, len(labels), 4096)
    ]
    return float(np.sum(values) / len(labels))


def compute_metrics(
    logits: np.ndarray, labels: np.ndarray, class_names: list[str], by_sigmoid: bool = False
) -> dict[str, Any]:
    """All metrics but the loss.

    Args:
        logits: (images, classes).
        labels: in either form of `zoo.labels`.
        class_names: by number.
        by_sigmoid: whether probabilities are the sigmoid of each logit, not the softmax of all.
    """
    if is_multi_label(labels):
        ece = multi_label_metrics.calibration_error(sigmoid(logits), labels, BINS)
        return {**multi_label_metrics.evaluation(logits, labels, class_names), "ece": ece}
    classes = list(range(len(class_names)))
    predictions = logits.argmax(axis=1)
    probabilities = sigmoid(logits) if by_sigmoid else softmax(logits)
    k = min(5, len(classes))
    # Ties go to the first classes, as in argmax: equal logits are right for k classes, not for all.
    top = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    table = class_metrics.confusion_matrix(labels, predictions, len(classes))
    area = class_metrics.auc(labels, logits, by_sigmoid)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predictions, labels=classes, zero_division=0.0
    )
    return {
        "images": len(labels),
        "accuracy": float(np.mean(predictions == labels)),
        "top5_accuracy": float(np.mean((top == labels[:, None]).any(axis=1))),
        "ece": calibration_error(probabilities, labels),
        **class_metrics.from_confusion_matrix(table),
        "auc": area if math.isfinite(area) else None,
        "never_predicted": [class_names[number] for number in class_metrics.never_predicted(table)],
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
        "confusion_matrix": table.tolist(),
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: the mean |accuracy - confidence| over equal-width bins.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.

    Args:
        probabilities: (images, classes).
        labels: (images,).
        bins: number of bins of the confidence, the largest probability.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
