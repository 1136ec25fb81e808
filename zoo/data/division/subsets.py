"""Parts of cached data sets: the rows of each split, and their pixel statistics.

Cross-validation decodes and caches the images of all folds once; each fold is a choice of rows.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import cache
from zoo.data.cache import Entry
from zoo.data.content.pixel_statistics import PixelStatistics
from zoo.data.image_files import POOL, Layout
from zoo.data.splits import Split, Subset, pixel_statistics
from zoo.errors import StorageFault

Rows = dict[str, list[Any]]


def rows_of_splits(stored: Mapping[str, Rows], folder: Layout) -> dict[str, Rows]:
    """Returns the rows of each split, from those of the cache.

    Args:
        stored: {split or `POOL`: its columns, among them `files`}.
        folder: the files.

    Returns:
        {split: the same columns}; where there is a pool, also `rows`: their places in it.
    """
    if folder.pool is None:
        return dict(stored)
    pool = stored[POOL]
    place = {file: row for row, file in enumerate(pool["files"])}
    splits: dict[str, Rows] = {}
    for split in ("train", "validation"):
        rows = [place[f.path] for f in folder.splits[split] if f.path in place]  # Bad ones are not.
        splits[split] = {key: [column[row] for row in rows] for key, column in pool.items()}
        splits[split]["rows"] = rows
    return splits | {split: stored[split] for split in stored if split != POOL}


def with_statistics(subset: Subset, entry: Entry, cache_dir: Path) -> Subset:
    """Returns a subset with its pixel statistics, which are computed once and cached.

    Args:
        subset: of a data set in the cache.
        entry: its entry.
        cache_dir: folder of the cache; if it cannot be written, nothing is kept.

    Raises:
        DataError: an image cannot be read any more.
    """
    return replace(subset, statistics=statistics_of(subset, subset.indices, entry, cache_dir))


def statistics_of(split: Split, rows: np.ndarray, entry: Entry, cache_dir: Path) -> PixelStatistics:
    """Returns the pixel statistics of some images of a data set, computed once and cached.

    Args:
        split: these images.
        rows: int (n,), their places in the data set.
        entry: its entry in the cache.
        cache_dir: folder of the cache; if it cannot be written, nothing is kept.

    Raises:
        DataError: an image cannot be read any more.
    """
    digest = hashlib.sha256(np.asarray(rows, "<i8").tobytes()).hexdigest()
    key = cache.key_of({"measured": "statistics", "of": entry.folder.name, "rows": digest})
    found = cache.find(cache_dir, key)
    if found is not None and found.statistics is not None:
        return found.statistics
    statistics = pixel_statistics(split)

    def fill(folder: Path) -> dict[str, Any]:
        cache.save_statistics(folder, statistics)
        return {}

    with contextlib.suppress(StorageFault):
        cache.obtain(cache_dir, key, fill, 0)
    return statistics
