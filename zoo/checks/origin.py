"""The recipe that a checked one comes from: the one that it extends, or the file as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from zoo import recipe as recipes
from zoo.errors import ZooError
from zoo.loading import Source
from zoo.recipe import Recipe, extends, foreign
from zoo.recipe.shipped import find
from zoo.recipe.yaml_reader import Document

# Overrides of what is compared; others, such as of the data, may be needed to load the file.
COMPARED = ("train.batch_size", "train.optimizer", "train.gradient_accumulation_steps", "train=")


def origin(recipe: Source, overrides: Sequence[str]) -> tuple[Recipe, str] | None:
    """The recipe that another one comes from, and its name for people.

    Args:
        recipe: as `zoo.loading.load` takes it.
        overrides: `--set`.

    Returns:
        The recipe that it extends; if it extends none, the same recipe without the overrides of its
        batch and optimizer; None if there are no such overrides, or if it cannot be loaded alone.
    """
    kept = [each for each in overrides if not each.strip().startswith(COMPARED)]
    try:
        read = recipe if isinstance(recipe, Document) else foreign.read(find(recipe))
        base = extends.base_file(read)
        if base is not None:
            return recipes.load(str(base)), base.stem
        if len(kept) == len(overrides):
            return None
        return recipes.load(recipe, kept), "the recipe's file"
    except ZooError:
        return None
