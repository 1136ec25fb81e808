"""Writes manifests: names, sizes and hashes of the files of a data set, once they are verified.

The format is in `zoo.datasets.folders.manifest`, which reads them.
"""

from __future__ import annotations

import base64
import heapq
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.backend.cache_folder import cache_folder
from zoo.datasets import file_source, stored_files
from zoo.datasets.cache import Entry
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.folders import layout as folders
from zoo.datasets.folders.manifest import HEAD, UNUSABLE, sealed
from zoo.datasets.image_files import Files, Layout
from zoo.datasets.stored_files import SHA256_BYTES
from zoo.datasets.tables import table_layout
from zoo.errors import DataError
from zoo.progress import Progress, no_progress
from zoo.recipe.schema import Recipe
from zoo.rundir.files import atomic_write
from zoo.version import __version__


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        file: the manifest.
        files: number of files that it names.
        unusable: how many of them cannot be used.
        fingerprint: of the data, with all classes and without folds.
    """

    file: Path
    files: int
    unusable: int
    fingerprint: str


def write_manifest(
    recipe: Recipe,
    file: Path,
    *,
    cache_dir: Path | None = None,
    progress: Progress = no_progress,
) -> Written:
    """Verifies the images of a recipe, unless the cache knows them, and writes their manifest.

    It names the images of all classes, whatever `data.classes` chooses, and of no fold: every
    recipe of the same source may use it.

    Args:
        recipe: its source is `folder` or `csv`. A manifest that it names is not read.
        file: where to write; replaced if it is there. What is no regular file, such as /dev/null,
            is written to itself.
        cache_dir: folder of the cache; None for the user's.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: the source has no files, or images are bad.
        StorageFault: the file or the cache cannot be written.
    """
    word = recipe.data.source.word
    if word not in ("folder", "csv"):
        raise DataError(
            f"a manifest names image files. Expected data.source: folder or csv. Received {word}"
        )
    options = recipe.data.source.options.model_copy(update={"manifest": None})
    data = recipe.data.model_copy(update={"classes": None, "fold": None})
    skip = data.on_bad_image == "skip"
    layout = (
        folders.read(options) if word == "folder"
        else table_layout.read(options, skip_missing=skip)
    )  # fmt: skip
    found = file_source.find_or_build(
        layout, data, ImageSpec.of(recipe), cache_folder(cache_dir), progress
    )
    bad = {path for _, path, _ in found.entry.manifest["bad"]}
    head = _head(found.entry, found.spec, sum(map(len, layout.splits.values())))
    with (
        atomic_write(file) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as text,
    ):
        text.write(f"{HEAD}{json.dumps(head)}\n")
        text.writelines(_lines(layout, found.entry, bad))
    return Written(file, head["files"], len(bad), head["fingerprint"])


def _head(entry: Entry, spec: ImageSpec, files: int) -> dict[str, Any]:
    facts = {
        "zoo": __version__,
        "written": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "files": files,
        "fingerprint": entry.manifest["fingerprint"],
        "spec": file_source.plain(spec),
        "content": entry.manifest["content"],
        "statistics": _encoded(entry.statistics),
    }
    return sealed(facts)


def _encoded(statistics: PixelStatistics | None) -> str | None:
    if statistics is None:
        return None
    file = io.BytesIO()
    np.savez_compressed(
        file, count=statistics.count, sums=statistics.sums, squares=statistics.squares,
        histograms=statistics.histograms,
    )  # fmt: skip
    return base64.b64encode(file.getvalue()).decode()


def _lines(layout: Layout, entry: Entry, bad: set[str]) -> Iterator[str]:
    """Yields a line for each file of all splits, sorted by path."""
    for _, line in heapq.merge(
        *(_lines_of(split, files, entry, bad) for split, files in layout.splits.items())
    ):
        yield line


def _lines_of(split: str, files: Files, entry: Entry, bad: set[str]) -> Iterator[tuple[str, str]]:
    known = stored_files.read(entry.folder, split, entry.manifest["splits"][split])
    hashes = np.zeros((len(files), SHA256_BYTES), np.uint8)
    usable = np.fromiter((path not in bad for path in files.paths), bool, len(files))
    hashes[usable] = known.sha256
    for path, row in stored_files.of_list(files, hashes).by_path():
        sha = hashes[row].tobytes().hex() if usable[row] else UNUSABLE.decode()
        is_plain = path.isprintable() and not path.startswith('"')
        yield path, f"{sha} {files.sizes[row]} {path if is_plain else json.dumps(path)}\n"
