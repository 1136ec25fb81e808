"""The number of classes of a recipe, without loading its data."""

from __future__ import annotations

from zoo.data import layout
from zoo.errors import DataError
from zoo.recipe.schema import Recipe


def num_classes(recipe: Recipe) -> int:
    """The number of classes, from the recipe or the names of its class folders.

    Raises:
        DataError: it is not known without loading the data, or the folder cannot be used.
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
    return len(layout.class_names(source.options))
