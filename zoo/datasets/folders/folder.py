"""The `folder` source: image files in folders that name their splits and classes."""

from __future__ import annotations

from pathlib import Path

from zoo.datasets import file_source
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.folders import layout
from zoo.datasets.splits import Splits
from zoo.progress import Progress
from zoo.recipe.data_block import Data
from zoo.recipe.source import Folder


def load(
    options: Folder, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    """Loads a folder of images.

    Args:
        options: options of the source.
        data: the recipe's `data` block.
        spec: size and channels.
        cache_dir: folder of the cache.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: the folder is not laid out as expected, images are bad (names all of them), or
            decoding loses what most of them show.
        StorageFault: the cache cannot be written.
    """
    return file_source.load(
        layout.read(options, data.classes, data.fold), data, spec, cache_dir, progress
    )
