"""Whether the weights that a recipe gives its classes can be used."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import Path

PATH = ("train", "class_weight", "values", "weights")


def misfits(recipe: Recipe, classes: int | None) -> Iterator[tuple[Path, str]]:
    """What is wrong as (path, sentence).

    Args:
        recipe: valid word by word.
        classes: how many classes there are; None where only the data know.
    """
    chosen = recipe.train.class_weight
    if chosen is None or chosen.word != "values":
        return
    weights = chosen.options.weights
    if classes is not None and len(weights) != classes:
        yield (
            PATH,
            f"not a weight for each class. Expected {classes} numbers, in the order of the "
            f"classes. Received {len(weights)}.",
        )
    elif not weights or min(weights) < 0 or max(weights) == 0:
        given = ", ".join(f"{weight:g}" for weight in weights)
        yield (
            PATH,
            "not usable as weights. Expected no number below 0 and one above it. "
            f"Received [{given}].",
        )
