"""Weights of the classes in the training loss."""

from __future__ import annotations

import numpy as np

from zoo.data.splits import Splits
from zoo.errors import Problem, RecipeError
from zoo.recipe import Recipe
from zoo.recipe.class_weight import misfits
from zoo.recipe.yaml_reader import dotted


def class_weights(recipe: Recipe, data: Splits) -> np.ndarray | None:
    """The weight of each class in the loss.

    With `balanced` every class weighs the same in total, and the mean weight of a training image
    is 1. A class without training images has weight 1.

    Returns:
        float32 (classes,); None if all classes have the same weight.

    Raises:
        RecipeError: the recipe gives another number of weights than there are classes.
    """
    choice, classes = recipe.train.class_weight, len(data.class_names)
    if choice is None:
        return None
    if choice.word == "values":
        problems = list(misfits(recipe, classes))
        if problems:
            raise RecipeError(Problem(path=dotted(path), message=text) for path, text in problems)
        return np.array(choice.options.weights, np.float32)
    counts = np.bincount(data.train.labels, minlength=classes)
    present = counts > 0
    balanced = counts.sum() / (present.sum() * np.maximum(counts, 1))
    return np.where(present, balanced, 1).astype(np.float32)


def mean_weight(weights: np.ndarray | None, labels: np.ndarray) -> float:
    """Mean weight of images with these labels, the factor on the loss of equal scores.

    Args:
        weights: as `class_weights` returns them.
        labels: int (images,).
    """
    return 1.0 if weights is None else float(weights[labels].mean())
