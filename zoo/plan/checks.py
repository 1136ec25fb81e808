"""Checks of a whole recipe: its words fit together and its network can be built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from zoo.errors import DataError
from zoo.plan import freezing, own_layers
from zoo.plan.classes import num_classes, source_classes
from zoo.plan.lint import lint
from zoo.plan.planner import Planner, plan
from zoo.recipe import augment, class_weight, subset
from zoo.recipe.combinations import combinations
from zoo.recipe.resolve import resolved
from zoo.recipe.schema import Recipe
from zoo.recipe.shown import cut
from zoo.recipe.yaml_reader import KeyPath


def problems(recipe: Recipe) -> list[tuple[KeyPath, str]]:
    """What is wrong with a recipe that is valid word by word, as (path, sentence).

    Args:
        recipe: as pydantic reads it, not yet resolved.
    """
    misfits = [
        *combinations(recipe), *augment.misfits(recipe), *_classes(recipe), *_class_weights(recipe)
    ]  # fmt: skip
    if misfits:
        return misfits
    whole = own_layers.can_plan(recipe)
    planner = Planner(resolved(recipe), 2, runs_parts=whole)
    planner.run()
    if planner.problems or not whole:
        return planner.problems
    variables = [path for layer in planner.layers for path in layer.trained_paths]
    return list(_learning_rate_factors(recipe, variables))


def cautions(recipe: Recipe) -> list[tuple[KeyPath, str]]:
    """What a resolved recipe may do but is likely to regret, as (path, sentence)."""
    if not own_layers.can_plan(recipe):
        return []
    layers = plan(recipe, 2).layers
    return [*lint(recipe, layers), *freezing.cautions(recipe, layers)]


def _classes(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Names in `data.classes` that no class of the source has, where its classes are known."""
    if recipe.data.classes is not None:
        names = source_classes(recipe)
        yield from () if names is None else subset.misfits(recipe.data.classes, names)


def _class_weights(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    if recipe.train.class_weight is None:
        return  # Do not list a folder for nothing.
    try:
        classes: int | None = num_classes(recipe)
    except DataError:
        classes = None  # Training counts them, and checks the weights, when it starts.
    yield from class_weight.misfits(recipe, classes)


def _learning_rate_factors(recipe: Recipe, variables: list[str]) -> Iterator[tuple[KeyPath, str]]:
    """Patterns of `learning_rate_factors` that apply to no trained variable."""
    remaining = variables
    for index, group in enumerate(recipe.train.learning_rate_factors):
        matched = [path for path in variables if re.search(group.pattern, path)]
        at = ("train", "learning_rate_factors", index, "pattern")
        if not matched:
            near = get_close_matches(group.pattern, variables, n=3, cutoff=0.4) or variables[:3]
            yield (
                at,
                "matches no trained variable. Expected a regular expression for paths such as "
                f"{', '.join(near)}. Received '{cut(group.pattern)}'.",
            )
        elif not set(matched) & set(remaining):
            yield (
                at,
                f"all that it matches ({', '.join(matched[:3])}{' ...' * (len(matched) > 3)}) "
                "belongs to the patterns before it, of which the first counts; put it in front of "
                "them.",
            )
        remaining = [path for path in remaining if path not in matched]
