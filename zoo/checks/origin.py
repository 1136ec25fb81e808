"""The recipe that a checked one comes from: the one that it extends, or the file as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.recipe import Recipe, extends, foreign
from zoo.recipe.shipped import find

# Overrides of what is compared; others, such as of the data, may be needed to load the file.
COMPARED = ("train.batch_size", "train.optimizer", "train.gradient_accumulation_steps", "train=")


def origin(recipe: str, overrides: Sequence[str]) -> tuple[Recipe, str] | None:
    """The recipe that another one comes from, and its name for people.

    Args:
        recipe: path or name of the recipe.
        overrides: `--set`.

    Returns:
        The recipe that it extends; if it extends none, the same recipe without the overrides of its
        batch and optimizer; None if there are no such overrides, or if it cannot be loaded alone.
    """
    kept = [each for each in overrides if not each.strip().startswith(COMPARED)]
    try:
        base = extends.base_file(foreign.read(Path(find(recipe))))
        if base is not None:
            return recipes.load(str(base)), base.stem
        if len(kept) == len(overrides):
            return None
        return recipes.load(recipe, kept), "the recipe's file"
    except ZooError:
        return None
