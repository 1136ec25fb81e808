"""Checks the weights that a recipe gives to its classes."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.recipe.schema import Recipe
from zoo.recipe.shown import listed
from zoo.recipe.yaml_reader import KeyPath

PATH = ("train", "class_weight", "values", "weights")


def misfits(recipe: Recipe, classes: int | None) -> Iterator[tuple[KeyPath, str]]:
    """Weights that cannot be used, as (path, sentence).

    Args:
        recipe: valid word by word.
        classes: number of classes; None where only the data tell.
    """
    class_weight = recipe.train.class_weight
    if class_weight is None or class_weight.word != "values":
        return
    weights = class_weight.options.weights
    if classes is not None and len(weights) != classes:
        yield (
            PATH,
            f"not a weight for each class. Expected {classes} numbers, in the order of the "
            f"classes. Received {len(weights)}.",
        )
    elif not weights or min(weights) < 0 or max(weights) == 0:
        yield (
            PATH,
            "not usable as weights. Expected no number below 0 and one above it. "
            f"Received [{listed(weights)}].",
        )
