"""The number of classes of a recipe, without loading its data."""

from __future__ import annotations

from pathlib import Path

from zoo.data import layout
from zoo.errors import DataError
from zoo.recipe.schema import Recipe


def num_classes(recipe: Recipe) -> int:
    """The number of classes, from the recipe or the names of its class folders.

    Raises:
        DataError: it is not known without loading the data.
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
    names = layout.class_names(Path(source.options.path))
    if names is None:
        raise DataError(
            f"{source.options.path}: holds no class folders. "
            "Expected train/CLASS/*.jpg or CLASS/*.jpg."
        )
    return len(names)
