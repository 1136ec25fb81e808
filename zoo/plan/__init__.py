"""From a recipe to the list of its layers: names, shapes, parameters, FLOPs. No TensorFlow.

`model.build` makes exactly these layers, so what `zoo show` prints is what Keras trains. Here too
belongs everything that can be wrong with a stack before any data or framework is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path as FilePath

from zoo.data import layout
from zoo.errors import DataError, Problem, RecipeError
from zoo.plan.layer import Layer, Plan
from zoo.plan.lint import lint
from zoo.plan.walk import Walk
from zoo.recipe import augment, class_weight
from zoo.recipe.combinations import combinations
from zoo.recipe.resolve import resolved
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import Path

__all__ = ["Layer", "Plan", "cautions", "num_classes", "plan", "problems"]


def plan(recipe: Recipe, num_classes: int) -> Plan:
    """Plans a resolved recipe.

    Args:
        recipe: as `recipe.load` returns it.
        num_classes: the number of logits.

    Raises:
        RecipeError: the stack does not fit the image.
    """
    walk = Walk(recipe, num_classes)
    walk.go()
    if walk.problems:
        raise RecipeError(Problem(message=message) for _, message in walk.problems)
    narrow = recipe.train.dtype_policy in ("mixed_bfloat16", "mixed_float16")
    width = 8 if recipe.train.dtype_policy == "float64" else 2 if narrow else 4
    return Plan(tuple(walk.layers), width)


def problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """What is wrong with a recipe that is valid word by word, as (path, sentence)."""
    found = [*combinations(recipe), *augment.misfits(recipe), *_weights(recipe)]
    if found:
        return found
    walk = Walk(resolved(recipe), 2)
    walk.go()
    paths = [path for layer in walk.layers for path in layer.trained_paths]
    return walk.problems or [*_factors(recipe, paths)]


def cautions(recipe: Recipe) -> list[tuple[Path, str]]:
    """What about a resolved recipe is allowed and likely to hurt, as (path, sentence)."""
    return lint(recipe, plan(recipe, 2).layers)


def num_classes(recipe: Recipe) -> int:
    """The number of classes, as far as it is known without loading the data.

    Raises:
        DataError: it is not known.
    """
    source = recipe.data.source
    if source.word == "digits":
        return 10
    if source.word == "tfds":
        if source.options.num_classes is None:
            raise DataError(
                "the number of classes is not known without loading the data; "
                "say it with --set data.source.tfds.num_classes=N"
            )
        return int(source.options.num_classes)
    names = layout.class_names(FilePath(source.options.path))
    if names is None:
        raise DataError(
            f"{source.options.path}: holds no class folders. "
            "Expected train/CLASS/*.jpg or CLASS/*.jpg."
        )
    return len(names)


def _weights(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    if recipe.train.class_weight is None:
        return  # Else a folder would be listed for nothing.
    try:
        classes: int | None = num_classes(recipe)
    except DataError:
        classes = None  # Told at the start of training.
    yield from class_weight.misfits(recipe, classes)


def _factors(recipe: Recipe, paths: list[str]) -> Iterator[tuple[Path, str]]:
    """Patterns of learning_rate_factors that no variable follows."""
    left = paths
    for index, group in enumerate(recipe.train.learning_rate_factors):
        found = [path for path in paths if re.search(group.pattern, path)]
        at = ("train", "learning_rate_factors", index, "pattern")
        if not found:
            near = get_close_matches(group.pattern, paths, n=3, cutoff=0.4) or paths[:3]
            yield (
                at,
                "matches no trained variable. Expected a regular expression for paths such as "
                f"{', '.join(near)}. Received '{group.pattern}'.",
            )
        elif not set(found) & set(left):
            yield (
                at,
                f"all that it matches ({', '.join(found[:3])}{' ...' * (len(found) > 3)}) belongs "
                "to the patterns before it, of which the first counts; put it in front of them.",
            )
        left = [path for path in left if path not in found]
