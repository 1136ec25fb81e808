"""Metrics in which every class counts alike, and the classes that a model never names.

The definitions are scikit-learn's: `balanced_accuracy_score`; `f1_score` and `recall_score` with
`average="macro"` and `zero_division=0`; `roc_auc_score` with `multi_class="ovr"`, over the classes
that it is defined for. They are computed here from one table and one ranking, since a training
computes them every epoch, and scikit-learn's functions take some hundred times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.checks.judge.finding import join_names


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts of images by class (rows) and predicted class (columns).

    Args:
        labels: int (images,), each from 0 to classes - 1.
        predictions: likewise.
        classes: number of classes.

    Returns:
        int (classes, classes).
    """
    pairs = labels.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def from_confusion_matrix(table: np.ndarray) -> dict[str, float]:
    """Balanced accuracy, macro F1 and macro recall.

    Balanced accuracy is the mean recall of the classes that have images. Macro F1 and macro recall
    are means over the classes that have images or were predicted, so that macro recall differs from
    balanced accuracy only where a class without images was predicted.

    Args:
        table: as `confusion_matrix` returns it, with at least one image.

    Returns:
        `balanced_accuracy`, `f1` and `recall`, each from 0 to 1.
    """
    hits, images, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    recall = hits / np.maximum(images, 1)
    f1 = 2 * hits / np.maximum(images + predicted, 1)
    seen = images + predicted > 0
    return {
        "balanced_accuracy": float(recall[images > 0].mean()),
        "f1": float(f1[seen].mean()),
        "recall": float(recall[seen].mean()),
    }


def auc(labels: np.ndarray, logits: np.ndarray, by_sigmoid: bool = False) -> float:
    """Area under the ROC curve, one class against the rest, mean over the classes.

    The area is the share of pairs of an image of the class and another image in which the former
    has the higher softmax probability of the class, ties counting half: the statistic of Mann &
    Whitney 1947. Log-odds are ranked in place of probabilities, which round to 1.

    Args:
        labels: int (images,).
        logits: (images, classes).
        by_sigmoid: whether probabilities are the sigmoid of a logit, which then are ranked as they
            are, not the softmax of all.

    Returns:
        From 0 to 1; NaN if all images are of one class, or if a logit is not finite.
    """
    counts = np.bincount(labels, minlength=logits.shape[1])
    others = len(labels) - counts
    defined = (counts > 0) & (others > 0)
    if not defined.any() or not np.isfinite(logits).all():
        return float("nan")
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    ranks = rankdata(logits if by_sigmoid else _log_odds(logits), axis=0)
    is_class = labels[:, None] == np.arange(logits.shape[1])
    ranked = (ranks * is_class).sum(axis=0) - counts * (counts + 1) / 2
    return float((ranked[defined] / (counts * others)[defined]).mean())


def _log_odds(logits: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)) of softmax probabilities, rounded so that equal ones stay equal.

    Args:
        logits: (images, classes).
    """
    rows = np.arange(len(logits))
    top = logits.argmax(axis=1)
    scores = logits.astype(np.float64) - logits[rows, top, None]
    powers = np.exp(scores)
    powers[rows, top] = 0.0
    others = powers.sum(axis=1)  # Of the first class, over its own power, 1.
    total = 1.0 + others
    with np.errstate(divide="ignore"):
        scores -= np.log(total)[:, None] + np.log1p(-powers / total[:, None])
        scores[rows, top] = -np.log(others)
    return np.asarray(scores.round(9))


def never_predicted(table: np.ndarray) -> list[int]:
    """The classes that have images, but that no image was taken for.

    Args:
        table: as `confusion_matrix` returns it.
    """
    return np.flatnonzero((table.sum(axis=1) > 0) & (table.sum(axis=0) == 0)).tolist()


def say_never_predicted(class_names: Sequence[str], images: str) -> str:
    """Says that a model took no image for some classes, as the beginning of a sentence.

    Args:
        class_names: of these classes.
        images: which images, in the singular: `test image`.
    """
    return f"no {images} was taken for {join_names(class_names)} (recall 0)"
