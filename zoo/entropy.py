"""The least loss of one answer for every image: what a network must beat that uses its input."""

from __future__ import annotations

import numpy as np

from zoo import losses
from zoo.class_weights import mean_weight
from zoo.labels import class_counts, is_multi_label
from zoo.recipe.fields import Choice


def label_entropy(choice: Choice, labels: np.ndarray, classes: int) -> float:
    """The entropy of labels in nats: the least mean cross-entropy of one answer for all of them.

    Args:
        choice: the recipe's `train.loss`. With sigmoid it is the mean over the classes of the
            entropies of yes and no, else the entropy of the classes' shares.
        labels: in either form of `zoo.labels`.
        classes: number of classes.
    """
    if choice.word == "sigmoid":
        return _binary_entropy(class_counts(labels, classes) / len(labels), 1.0)
    shares = class_counts(labels, classes) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def constant_loss(
    choice: Choice, labels: np.ndarray, weights: np.ndarray | None, classes: int
) -> float:
    """The least mean loss of one answer for all images; that of equal scores where no formula is.

    Args:
        choice: the recipe's `train.loss`, without label smoothing.
        labels: in either form of `zoo.labels`.
        weights: of the classes, as `zoo.class_weights.class_weights` returns them.
        classes: number of classes.
    """
    shares = class_counts(labels, classes) / len(labels)
    if weights is not None:
        shares = shares * weights
    if choice.word == "softmax":
        present = shares[shares > 0]
        return float(-(present * np.log(present / present.sum())).sum())
    if choice.word == "sigmoid" and not choice.options.gamma:
        if weights is None:
            return _binary_entropy(shares, 1.0)
        if is_multi_label(labels):
            return _binary_entropy(shares, shares + 1 - class_counts(labels, classes) / len(labels))
        return _binary_entropy(shares, float(shares.sum()))
    return losses.uniform_loss(choice, classes) * mean_weight(weights, labels)


def _binary_entropy(yes: np.ndarray, total: np.ndarray | float) -> float:
    """Mean over classes of the least of -(a ln p + b ln(1 - p)): a is `yes`, a + b is `total`."""
    no = total - yes
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.stack([yes * np.log(yes / total), no * np.log(no / total)])
    return float(-np.where(np.isfinite(terms), terms, 0.0).sum(axis=0).mean())
