"""The number of classes of a recipe, without loading its data."""

from __future__ import annotations

from zoo.backend.cache_folder import cache_folder
from zoo.datasets.folders import layout
from zoo.datasets.shards.layout import read_class_names
from zoo.datasets.tables import table_layout
from zoo.errors import DataError
from zoo.recipe.schema import Recipe

DIGITS = tuple(map(str, range(10)))


def source_classes(recipe: Recipe) -> tuple[str, ...] | None:
    """The names of the source's classes, of which `data.classes` chooses; None if not known.

    Args:
        recipe: as given.
    """
    source = recipe.data.source
    if source.word == "digits":
        return DIGITS
    if source.word not in ("folder", "csv", "shards"):
        return None
    try:
        if source.word == "shards":
            return read_class_names(source.options, cache_folder(None))
        if source.word == "csv":
            return table_layout.class_names(source.options, recipe.data.classes)
        return layout.class_names(source.options)
    except DataError:
        return None  # Loading the data says what is wrong with them.


def class_names(recipe: Recipe) -> tuple[str, ...] | None:
    """The names of the network's classes, in the order of its outputs; None if not known.

    Args:
        recipe: as given.
    """
    if recipe.data.classes is not None:
        return tuple(recipe.data.classes)
    return source_classes(recipe)


def num_classes(recipe: Recipe) -> int:
    """The number of classes, from the recipe, names of class folders, its table or its shards.

    Classes that `data.classes` merges count once, those that it leaves out do not.

    Raises:
        DataError: it is not known without loading the data, or the source cannot be used.
    """
    if recipe.data.classes is not None:
        return len(recipe.data.classes)
    source = recipe.data.source
    if source.word == "digits":
        return len(DIGITS)
    if source.word == "tfds":
        if source.options.num_classes is None:
            raise DataError(
                "the number of classes is not known without loading the data; "
                "say it with --set data.source.tfds.num_classes=N"
            )
        return int(source.options.num_classes)
    if source.word == "csv":
        return len(table_layout.class_names(source.options))
    if source.word == "shards":
        return len(read_class_names(source.options, cache_folder(None)))
    return len(layout.class_names(source.options))
