"""How much each class counts in the loss of training."""

from __future__ import annotations

import numpy as np

from zoo.data.splits import Splits
from zoo.errors import Problem, RecipeError
from zoo.recipe import Recipe
from zoo.recipe.class_weight import misfits
from zoo.recipe.yaml_reader import dotted


def class_weights(recipe: Recipe, data: Splits) -> np.ndarray | None:
    """float32 (classes,), or None where all classes count the same.

    `balanced` makes every class count alike and their mean over the training images 1. A class
    without training images is left out of it: it gets 1, which no image asks for.

    Raises:
        RecipeError: the recipe gives another number of weights than there are classes.
    """
    chosen, classes = recipe.train.class_weight, len(data.class_names)
    if chosen is None:
        return None
    if chosen.word == "values":
        found = list(misfits(recipe, classes))
        if found:
            raise RecipeError(Problem(path=dotted(path), message=text) for path, text in found)
        return np.array(chosen.options.weights, np.float32)
    counts = np.bincount(data.train.labels, minlength=classes)
    held = counts > 0
    return np.where(held, counts.sum() / (held.sum() * np.maximum(counts, 1)), 1).astype(np.float32)


def mean_weight(weights: np.ndarray | None, labels: np.ndarray) -> float:
    """The mean over images with these labels: what the loss of equal scores is multiplied by."""
    return 1.0 if weights is None else float(weights[labels].mean())
