"""Weights of the classes in the training loss."""

from __future__ import annotations

import numpy as np

from zoo.datasets.splits import Splits
from zoo.errors import Problem, RecipeError
from zoo.labels import class_counts, is_multi_label, label_sets
from zoo.recipe import Recipe
from zoo.recipe.class_weight import misfits
from zoo.recipe.fields import Choice
from zoo.recipe.yaml_reader import dotted


def class_weights(choice: Choice | None, labels: np.ndarray, num_classes: int) -> np.ndarray | None:
    """The weight of each class in the loss.

    Args:
        choice: the recipe's `train.class_weight`; `values` gives a weight for each class.
        labels: of the training images, in either form of `zoo.labels`.
        num_classes: number of classes.

    Returns:
        float32 (classes,); None if all classes have the same weight. Of multi-label images a weight
        counts where the image has the class: `balanced` is images without the class over images
        with it, so that both weigh the same (`pos_weight` of PyTorch's BCEWithLogitsLoss).
    """
    if choice is None:
        return None
    if choice.word == "values":
        return np.array(choice.options.weights, np.float32)
    counts = class_counts(labels, num_classes)
    present = counts > 0
    if is_multi_label(labels):
        others = np.maximum(len(labels) - counts, 1)
        return np.where(present, others / np.maximum(counts, 1), 1).astype(np.float32)
    balanced = counts.sum() / (present.sum() * np.maximum(counts, 1))
    return np.where(present, balanced, 1).astype(np.float32)


def checked_class_weights(recipe: Recipe, data: Splits) -> np.ndarray | None:
    """The weight of each class in the loss of a recipe, once their number was checked.

    With `balanced` every class weighs the same in total, and the mean weight of a training image
    is 1. A class without training images has weight 1. Of multi-label images a weight counts where
    an image has the class: see `class_weights`.

    Returns:
        float32 (classes,); None if all classes have the same weight.

    Raises:
        RecipeError: the recipe gives another number of weights than there are classes.
    """
    choice, classes = recipe.train.class_weight, len(data.class_names)
    if choice is None:
        return None
    problems = list(misfits(recipe, classes))
    if problems:
        raise RecipeError(Problem(path=dotted(path), message=text) for path, text in problems)
    return class_weights(choice, data.train.labels, classes)


def mean_weight(weights: np.ndarray | None, labels: np.ndarray) -> float:
    """Mean weight of images with these labels, the factor on the loss of equal scores.

    Args:
        weights: as `class_weights` returns them.
        labels: of the images, in either form of `zoo.labels`.
    """
    return 1.0 if weights is None else float(loss_weights(weights, labels).mean())


def loss_weights(weights: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The weight of each image in the loss, or of each class of each image.

    Args:
        weights: as `class_weights` returns them.
        labels: int (images,), or multi-label uint8 (images, classes).

    Returns:
        float32 (images,); multi-label (images, classes): the class's weight where the image has
        the class, else 1.
    """
    if is_multi_label(labels):
        return np.where(labels > 0, weights, 1).astype(np.float32)
    return np.asarray(weights[labels], np.float32)


def loss_weights_of_mixed(weights: np.ndarray, labels: np.ndarray, multi_label: bool) -> np.ndarray:
    """As `loss_weights` for mixed labels, float32 (images, classes): means over their shares."""
    mixed = 1 + labels * (weights - 1) if multi_label else labels @ weights
    return np.asarray(mixed, np.float32)


def effective_images(weights: np.ndarray | None, labels: np.ndarray) -> float:
    """Number of equal images whose mean is as uncertain as the weighted mean of these (Kish 1965).

    Args:
        weights: as `class_weights` returns them.
        labels: in either form of `zoo.labels`. Multi-label images count alike: weights are between
            the classes of an image.
    """
    if weights is None or is_multi_label(labels):
        return float(len(labels))
    of_images = weights[labels].astype(np.float64)
    return float(of_images.sum() ** 2 / max((of_images**2).sum(), 1e-30))


def weighted_shares(weights: np.ndarray | None, labels: np.ndarray, classes: int) -> np.ndarray:
    """Share of each class in the images, or in their weight; of multi-label images, of each set.

    Args:
        weights: as `class_weights` returns them.
        labels: in either form of `zoo.labels`. Multi-label images count alike.
        classes: number of classes.

    Returns:
        (classes,), or one for each set of classes that occurs; their sum is 1.
    """
    if is_multi_label(labels):
        numbers, _ = label_sets(labels, classes)
        return np.asarray(np.bincount(numbers) / max(len(numbers), 1))
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    totals = counts if weights is None else counts * weights
    return np.asarray(totals / max(totals.sum(), 1e-30))
