"""Metrics of multi-label images: each class is a question of its own, answered yes from 0.5 on.

The definitions are scikit-learn's, for a matrix of labels: `average_precision_score`,
`precision_score`, `recall_score`, `f1_score` and `roc_auc_score` of each class, and their means
(`macro`); `f1_score` with `average="micro"`; `accuracy_score` (all classes of an image must be
right) and `hamming_loss`. They differ in one thing: a class for which a metric is undefined, such
as the average precision of a class without images, is left out of the mean. Macro recall alone
counts a class without images, as 0, if an image was answered yes for it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def decisions(logits: np.ndarray) -> np.ndarray:
    """Whether each class is answered yes: bool of the shape of the logits."""
    return np.asarray(logits) >= 0.0  # The logit of `zoo.multi_label.THRESHOLD`.


def average_precision(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Average precision of each class: the sum over thresholds of (R_k - R_(k-1)) P_k.

    P_k and R_k are precision and recall if the images with the k-th largest score and above are
    answered yes; images of equal scores count together. Source: scikit-learn, "Model evaluation",
    `average_precision_score`.

    Args:
        labels: (images, classes), 1 for each class of an image.
        scores: (images, classes), such as logits.

    Returns:
        float64 (classes,), each above 0 and at most 1; NaN for a class without images, or if a
        score is not finite.
    """
    values = np.full(scores.shape[1], np.nan)
    if not len(scores) or not np.isfinite(scores).all():
        return values
    order = np.argsort(-scores, axis=0, kind="stable")
    for number in range(scores.shape[1]):
        ranked = scores[order[:, number], number]
        hits = np.cumsum(labels[order[:, number], number], dtype=np.int64)
        if not hits[-1]:
            continue
        ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        precision, recall = hits[ends] / (ends + 1), hits[ends] / hits[-1]
        values[number] = float((np.diff(recall, prepend=0.0) * precision).sum())
    return values


def roc_areas(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each class: the statistic of Mann & Whitney 1947.

    Args:
        labels: (images, classes), 1 for each class of an image.
        scores: (images, classes), such as logits.

    Returns:
        float64 (classes,), each from 0 to 1; NaN for a class that no image or each image has, or if
        a score is not finite.
    """
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    positives = labels.sum(axis=0, dtype=np.int64)
    negatives = len(labels) - positives
    if not len(scores) or not np.isfinite(scores).all():
        return np.full(scores.shape[1], np.nan)
    ranked = (rankdata(scores, axis=0) * labels).sum(axis=0) - positives * (positives + 1) / 2
    with np.errstate(invalid="ignore"):
        return np.asarray(ranked / (positives * negatives))


def mean_of_defined(values: np.ndarray) -> float:
    """The mean of those that are not NaN; NaN if all are."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


class Counts:
    """Right and wrong answers of each class, int64 (classes,).

    Args:
        labels: (images, classes), 1 for each class of an image.
        answers: bool (images, classes): as `decisions` returns them.

    Attributes:
        hits: images of the class that were answered yes.
        images: images of the class.
        predicted: images that were answered yes.
        total: number of images.
    """

    def __init__(self, labels: np.ndarray, answers: np.ndarray) -> None:
        is_class = np.asarray(labels) > 0
        self.hits = (is_class & answers).sum(axis=0)
        self.images = is_class.sum(axis=0)
        self.predicted = answers.sum(axis=0)
        self.total = len(is_class)

    @property
    def precision(self) -> np.ndarray:
        """Share of the images answered yes that are of the class; 0 where there are none."""
        return np.asarray(self.hits / np.maximum(self.predicted, 1))

    @property
    def recall(self) -> np.ndarray:
        """Share of the images of the class that were answered yes; 0 where there are none."""
        return np.asarray(self.hits / np.maximum(self.images, 1))

    @property
    def f1(self) -> np.ndarray:
        """2 hits / (images + predicted), the harmonic mean of precision and recall."""
        return np.asarray(2 * self.hits / np.maximum(self.images + self.predicted, 1))

    @property
    def never_predicted(self) -> list[int]:
        """The classes that have images, but that no image was answered yes for."""
        return np.flatnonzero((self.images > 0) & (self.predicted == 0)).tolist()

    def means(self) -> dict[str, float]:
        """Macro F1 and recall over the classes that have images or were answered; micro F1.

        Returns:
            `f1`, `micro_f1` and `recall`, each from 0 to 1.
        """
        seen = self.images + self.predicted > 0
        both = int((self.images + self.predicted).sum())
        return {
            "f1": float(self.f1[seen].mean()) if seen.any() else 0.0,
            "micro_f1": float(2 * self.hits.sum() / max(both, 1)),
            "recall": float(self.recall[seen].mean()) if seen.any() else 0.0,
        }

    def hamming_loss(self) -> float:
        """Share of wrong answers, all classes of all images counted."""
        wrong = (self.images + self.predicted - 2 * self.hits).sum()
        return float(wrong / max(self.total * len(self.hits), 1))


def evaluation(logits: np.ndarray, labels: np.ndarray, class_names: list[str]) -> dict[str, Any]:
    """All metrics of an evaluation but the loss and the calibration error.

    Args:
        logits: (images, classes).
        labels: (images, classes), 1 for each class of an image.
        class_names: by column.

    Returns:
        See `zoo.evaluate.evaluate`.
    """
    answers = decisions(logits)
    counts = Counts(labels, answers)
    precisions, areas = average_precision(labels, logits), roc_areas(labels, logits)
    columns = {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "average_precision": precisions,
        "auc": areas,
    }
    wrongly, missed = counts.predicted - counts.hits, counts.images - counts.hits
    rest = counts.total - counts.hits - wrongly - missed
    table = np.stack([rest, wrongly, missed, counts.hits], axis=1).reshape(-1, 2, 2)
    return {
        "images": len(labels),
        "multi_label": True,
        "accuracy": float(np.mean((answers == (labels > 0)).all(axis=1))),
        "hamming_loss": counts.hamming_loss(),
        "mean_average_precision": _or_none(mean_of_defined(precisions)),
        **counts.means(),
        "auc": _or_none(mean_of_defined(areas)),
        "top5_accuracy": None,
        "balanced_accuracy": None,
        "never_predicted": [class_names[number] for number in counts.never_predicted],
        "per_class": [
            {
                "class": name,
                **{key: _or_none(float(values[i])) for key, values in columns.items()},
                "images": int(counts.images[i]),
            }
            for i, name in enumerate(class_names)
        ],
        "confusion_matrix": None,
        "multilabel_confusion_matrix": table.tolist(),
    }


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Expected calibration error of all answers: mean |share of yes - probability| over bins.

    As Guo et al. 2017 have it for the likeliest class, with each class of each image an answer.

    Args:
        probabilities: (images, classes).
        labels: (images, classes), 1 for each class of an image.
        bins: number of bins of equal width.
    """
    values, truth = probabilities.ravel(), labels.ravel()
    index = np.minimum((values * bins).astype(int), bins - 1)
    gaps = np.bincount(index, weights=truth - values, minlength=bins)
    return float(np.abs(gaps).sum() / max(len(values), 1))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
