"""The `csv` source: image files that a table names, with their labels."""

from __future__ import annotations

from pathlib import Path

from zoo.datasets import file_source
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.splits import Splits
from zoo.datasets.tables import table_layout
from zoo.progress import Progress
from zoo.recipe.csv_source import Csv
from zoo.recipe.data_block import Data


def load(options: Csv, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress) -> Splits:
    """Loads the images of a table.

    Args:
        options: options of the source.
        data: the recipe's `data` block.
        spec: size and channels.
        cache_dir: folder of the cache.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: the table or rows of it are wrong, images are bad (names all of them), or
            decoding loses what most of them show.
        EnvironmentFault: the table is Parquet, and pyarrow is not installed.
        StorageFault: the cache cannot be written.
    """
    skip = data.on_bad_image == "skip"
    layout = table_layout.read(options, data.classes, data.fold, skip_missing=skip)
    return file_source.load(layout, data, spec, cache_dir, progress)
