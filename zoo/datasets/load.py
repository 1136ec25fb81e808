"""Loads the images of a recipe: the one entry point for every verb that needs pixels.

All splits are verified here, the test split too, so a broken file is found before training. Nothing
is computed from the test split.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.backend.cache_folder import cache_folder
from zoo.datasets import digits, tfds
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.folders import folder
from zoo.datasets.names import require_usable
from zoo.datasets.shards import shards
from zoo.datasets.splits import Splits
from zoo.datasets.tables import csv_source
from zoo.errors import Problem, RecipeError
from zoo.progress import Progress, no_progress
from zoo.recipe.combinations import needs_one_class
from zoo.recipe.data_block import Data
from zoo.recipe.schema import Recipe

# Word of `data.source` -> function(options, data block, spec, cache folder, progress) -> splits.
SOURCES: dict[str, Callable[[Any, Data, ImageSpec, Path, Progress], Splits]] = {
    "csv": csv_source.load,
    "digits": digits.load,
    "folder": folder.load,
    "shards": shards.load,
    "tfds": tfds.load,
}


def load(
    recipe: Recipe, *, cache_dir: Path | None = None, progress: Progress = no_progress
) -> Splits:
    """Loads the splits of a recipe.

    Args:
        recipe: as given or resolved.
        cache_dir: where decoded images are kept; None for the user's cache.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: the data is missing or unusable, as are names of classes that no export holds;
            names all bad images at once.
        RecipeError: the images have any number of classes, and `train.loss` needs one for each.
        EnvironmentFault: a package is not installed, or the cache cannot be written.
    """
    source = recipe.data.source
    splits = SOURCES[source.word](
        source.options, recipe.data, ImageSpec.of(recipe), cache_folder(cache_dir), progress
    )
    # An export would refuse them after the training; those of folders are checked earlier still.
    require_usable(splits.class_names, f"data.source.{source.word}")
    require_fitting_loss(recipe, splits)
    return splits


def require_fitting_loss(recipe: Recipe, splits: Splits) -> None:
    """Refuses a loss that needs one class an image for images with any number of classes.

    The other way round all is well: sigmoid takes one class an image, one against the rest.

    Raises:
        RecipeError: says what to write.
    """
    loss = recipe.train.loss.word
    if not splits.multi_label or loss in ("auto", "sigmoid"):
        return
    message = needs_one_class(loss, recipe.data.source.word)
    raise RecipeError([Problem(path="train.loss", message=message)])
