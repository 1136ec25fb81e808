"""Loads image files: verifies each one once, then reads from the cache or streams.

Every file of every split is decoded in full before training, so that a broken test image is found
at the start; unless a manifest says what the files are (`zoo.datasets.folders.manifest`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import cache, stored_files
from zoo.datasets.cache import Entry
from zoo.datasets.content import content_report, value_range
from zoo.datasets.content.content_summary import ContentSummary
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.division.subsets import Part, statistics_of, with_statistics
from zoo.datasets.file_entry import Builder, fingerprint, require_usable, shared_files
from zoo.datasets.image_files import POOL, Layout
from zoo.datasets.memory import free_host_memory
from zoo.datasets.splits import FileSplit, Split, Splits, Subset
from zoo.datasets.window_order import WindowOrder
from zoo.errors import StorageFault
from zoo.progress import Progress
from zoo.recipe.data_block import Data
from zoo.text.printable import quoted

RECORDS = "verified"  # Folder in the cache of what was verified.


def load(
    folder: Layout, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    """Loads the image files of each split.

    Args:
        folder: the files, with their labels.
        data: the recipe's `data` block.
        spec: size and channels.
        cache_dir: folder of the cache.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: images are bad (names all of them), or decoding loses what most of them show.
        StorageFault: the cache cannot be written.
    """
    found = find_or_build(folder, data, spec, cache_dir, progress)
    entry, spec, resident = found.entry, found.spec, found.resident
    parts = require_usable(entry.manifest, entry.folder, data, folder)
    notes = [*found.notes, *_content_notes(entry, folder, data, spec, resident=resident)]
    return _splits(entry, folder, parts, spec, cache_dir, notes, resident=resident)


@dataclass(frozen=True)
class Found:
    """An entry of the cache.

    Args:
        entry: the entry.
        spec: how its images are decoded, with the range of values that was measured.
        resident: whether it holds decoded images.
        notes: sentences that the user should see.
    """

    entry: Entry
    spec: ImageSpec
    resident: bool
    notes: tuple[str, ...] = ()


def find_or_build(
    folder: Layout, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Found:
    """Returns the entry of image files; verifies them if there is none.

    Args:
        folder: the files, with their labels.
        data: the recipe's `data` block.
        spec: size and channels.
        cache_dir: folder of the cache.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: images are bad; names all of them.
        StorageFault: the cache cannot be written.
    """
    if data.value_range == "auto":
        limits = value_range.of_files(folder, spec, cache_dir, progress)
        spec = replace(spec, value_range=limits)
    resident, entry = _choose(folder, data, spec, cache_dir)
    notes: tuple[str, ...] = ()
    try:
        entry = entry or _store(folder, data, spec, cache_dir, progress, resident=resident)
    except StorageFault as error:
        if not resident or data.loading == "resident":
            raise
        # What is cached then is a list of the files alone.
        notes = (f"images are decoded anew in each epoch: {error}",)
        resident = False
        entry = _store(folder, data, spec, cache_dir, progress, resident=False)
    return Found(entry, spec, resident, notes)


def _content_notes(
    entry: Entry, folder: Layout, data: Data, spec: ImageSpec, *, resident: bool
) -> list[str]:
    """Judges what decoding loses; says where nobody measured it.

    Raises:
        DataError: decoding loses what most images show.
    """
    content = ContentSummary.from_json(entry.manifest["content"])
    if folder.manifest is not None and not resident:
        measured = folder.manifest.measured(entry.manifest["fingerprint"], plain(spec))
        if measured is None:
            return ["the manifest does not say what decoding loses of these images: not measured"]
        content = ContentSummary.from_json(measured["content"])
    content_report.require_content(content, data, folder.class_names, f"{folder.root}/")
    return content_report.notes(content, data, folder.class_names)


def _store(
    folder: Layout,
    data: Data,
    spec: ImageSpec,
    cache_dir: Path,
    progress: Progress,
    *,
    resident: bool,
) -> Entry:
    """Finds or builds the cache's entry of a folder.

    Raises:
        DataError: images are bad.
        StorageFault: the cache cannot be written.
    """
    of_files = cache.key_of({"root": str(folder.root), "spec": asdict(spec)})
    builder = Builder(
        folder=folder, data=data, spec=spec, progress=progress, resident=resident,
        record=cache_dir / RECORDS / f"{of_files}.jsonl",
    )  # fmt: skip
    return cache.obtain(
        cache_dir,
        _key(folder, spec, resident=resident),
        builder.fill,
        _decoded_bytes(folder, spec) if resident else 0,
        progress,
    )


def _choose(
    folder: Layout, data: Data, spec: ImageSpec, cache_dir: Path
) -> tuple[bool, Entry | None]:
    """Decides whether images are resident; also returns the cache's entry if there is one."""
    if data.loading != "streamed":
        entry = cache.find(cache_dir, _key(folder, spec, resident=True))
        if entry is not None or data.loading == "resident":
            return True, entry
        needed = _decoded_bytes(folder, spec)
        if needed <= free_host_memory() // 2 and cache.has_space(cache_dir, needed):
            return True, None
    return False, cache.find(cache_dir, _key(folder, spec, resident=False))


def _decoded_bytes(folder: Layout, spec: ImageSpec) -> int:
    """Returns the size of all images, decoded."""
    height, width, channels = spec.shape
    return sum(map(len, folder.stored.values())) * height * width * channels


def _key(folder: Layout, spec: ImageSpec, *, resident: bool) -> str:
    return cache.key_of(
        {
            "source": "files in columns",
            "root": str(folder.root),
            "resident": resident,
            "classes": folder.class_names,
            "files": {split: files.hashed() for split, files in folder.stored.items()},
            "spec": asdict(spec),
        }
    )


def _splits(
    entry: Entry,
    folder: Layout,
    parts: Mapping[str, Part],
    spec: ImageSpec,
    cache_dir: Path,
    notes: Sequence[str],
    *,
    resident: bool,
) -> Splits:
    classes = len(folder.class_names) if folder.multi_label else None
    own = entry.manifest["fingerprint"]

    def statistics() -> PixelStatistics | None:
        if folder.manifest is None or resident:
            return entry.statistics
        return folder.manifest.statistics(own, plain(spec))

    def split(name: str) -> Split:
        part = parts[name]
        labels = part.files.labels(classes)
        # Of both ways of loading, so that both train on the same batches.
        order = window_order(folder, part.files.paths) if name == "train" else None
        if not resident:
            known = statistics() if name == "train" else None
            trusted = None if folder.manifest is None else folder.manifest.digests(part.files)
            files = FileSplit(
                folder.root, part.files.paths, labels, spec, known, order=order,
                store=folder.shards, trusted=trusted,
            )  # fmt: skip
            if name != "train" or part.rows is None:
                return files
            return replace(files, statistics=statistics_of(files, part.rows, entry, cache_dir))
        array = entry.array_split(name if part.rows is None else POOL)
        stored = part.files if part.rows is None else stored_files.read(
            entry.folder, POOL, entry.manifest["splits"][POOL]
        )  # fmt: skip
        array = replace(array, root=folder.root, files=stored.paths, store=folder.shards)
        if part.rows is None:
            return replace(array, order=order)
        subset = Subset(array, part.rows, new_labels=labels, order=order)
        return subset if name != "train" else with_statistics(subset, entry, cache_dir)

    return Splits(
        train=split("train"),
        validation=split("validation"),
        test=split("test") if "test" in parts else None,
        class_names=folder.class_names,
        image_shape=spec.shape,
        fingerprint=own if folder.pool is None else fingerprint(folder, _files(parts)),
        notes=(*folder.notes, *_notes(entry.manifest, parts, folder), *notes),
        value_range=spec.value_range,
        multi_label=folder.multi_label,
        manifest=None if folder.manifest is None else folder.manifest.facts(),
    )


def window_order(folder: Layout, paths: Sequence[str]) -> WindowOrder | None:
    """The order in which a training pass over images in shards is drawn; None: any permutation.

    Args:
        folder: the data set.
        paths: of the training images, in their order.
    """
    shards = folder.shards
    if shards is None or shards.window is None or shards.window >= len(paths):
        return None
    return WindowOrder(np.asarray(shards.starts(paths)), len(paths), shards.window)


def plain(spec: ImageSpec) -> Any:
    """The spec as it is read back from JSON."""
    return json.loads(json.dumps(asdict(spec)))


def _files(parts: Mapping[str, Part]) -> dict[str, Any]:
    return {split: part.files for split, part in parts.items()}


def _notes(manifest: Mapping[str, Any], parts: Mapping[str, Part], folder: Layout) -> list[str]:
    notes = [f"left out {quoted(path)}: {reason}" for _, path, reason in manifest["bad"]]
    notes += content_report.frames_notes([(path, frames) for path, frames in manifest["animated"]])
    shared = manifest["shared"] if folder.pool is None else shared_files(_files(parts))
    notes += [f"{count} files of {split} are byte for byte files of {other}"
              for split, other, count in shared]  # fmt: skip
    return notes
