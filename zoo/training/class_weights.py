"""Weights of the classes in the training loss."""

from __future__ import annotations

import numpy as np

from zoo import losses
from zoo.datasets.splits import Splits
from zoo.errors import Problem, RecipeError
from zoo.labels import is_multi_label, label_sets
from zoo.recipe import Recipe
from zoo.recipe.class_weight import misfits
from zoo.recipe.yaml_reader import dotted


def class_weights(recipe: Recipe, data: Splits) -> np.ndarray | None:
    """The weight of each class in the loss.

    With `balanced` every class weighs the same in total, and the mean weight of a training image
    is 1. A class without training images has weight 1. Of multi-label images a weight counts where
    an image has the class: see `zoo.losses.class_weights`.

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
    return losses.class_weights(choice, data.train.labels, classes)


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
