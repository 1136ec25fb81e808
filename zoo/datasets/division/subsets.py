"""Parts of cached data sets: the rows of each split, and their pixel statistics.

Cross-validation decodes and caches the images of all folds once; each fold is a choice of rows.
"""

from __future__ import annotations

import contextlib
import hashlib
from array import array
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import cache
from zoo.datasets.cache import Entry
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.image_files import POOL, Layout
from zoo.datasets.splits import Split, Subset, pixel_statistics
from zoo.datasets.stored_files import StoredFiles
from zoo.errors import StorageFault


@dataclass(frozen=True, eq=False)
class Part:
    """The usable files of a split.

    Args:
        files: these files.
        rows: int64 (n,), their places in the pool of a cross-validation; None without one.
    """

    files: StoredFiles
    rows: np.ndarray | None = None


def parts_of(
    stored: Mapping[str, StoredFiles], folder: Layout, bad: Container[str]
) -> dict[str, Part]:
    """Returns the files of each split, from those of the cache.

    Args:
        stored: {split or `POOL`: its usable files}.
        folder: the files; in cross-validation those of train and validation, in the same order, are
            those of the pool.
        bad: paths of files that cannot be used.
    """
    if folder.pool is None:
        return {split: Part(files) for split, files in stored.items()}
    pool = stored[POOL]
    rows: dict[str, array[int]] = {"train": array("q"), "validation": array("q")}
    left = {split: iter(folder.splits[split].paths) for split in rows}
    following = {split: next(paths, None) for split, paths in left.items()}
    place = 0
    for path in folder.pool.paths:
        split = "train" if following["train"] == path else "validation"
        following[split] = next(left[split], None)
        if path not in bad:
            rows[split].append(place)
            place += 1
    parts = {}
    for split, of_split in rows.items():
        places = np.asarray(of_split, np.int64)
        parts[split] = Part(pool.take(places), places)
    return parts | {split: Part(files) for split, files in stored.items() if split != POOL}


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
