"""Loads image files: verifies each one once, then reads from the cache or streams.

Every file of every split is decoded in full before training, so that a broken test image is found
at the start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import cache
from zoo.data.cache import Entry
from zoo.data.content import content_report, value_range
from zoo.data.content.content_summary import ContentSummary, summarise
from zoo.data.decoding.image_content import Content
from zoo.data.decoding.images import ImageSpec
from zoo.data.division.subsets import rows_of_splits, statistics_of, with_statistics
from zoo.data.folders.tree import in_words
from zoo.data.image_files import POOL, ImageFile, Layout
from zoo.data.memory import free_host_memory
from zoo.data.splits import FileSplit, Split, Splits, Subset
from zoo.data.verify import FileCheck, verify
from zoo.data.window_order import WindowOrder
from zoo.errors import DataError, Problem, StorageFault
from zoo.progress import Progress
from zoo.recipe.data_block import Data
from zoo.text.printable import quoted

MANY_LABELS = -1  # Stands for the class of images with any number of labels, in a summary.


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
    if data.value_range == "auto":
        limits = value_range.of_files(folder, spec, cache_dir, progress)
        spec = replace(spec, value_range=limits)
    resident, entry = _choose(folder, data, spec, cache_dir)
    storage_notes = []
    try:
        entry = entry or _store(folder, data, spec, cache_dir, progress, resident=resident)
    except StorageFault as error:
        if not resident or data.loading == "resident":
            raise
        # What is cached then is a list of the files alone.
        storage_notes = [f"images are decoded anew in each epoch: {error}"]
        resident = False
        entry = _store(folder, data, spec, cache_dir, progress, resident=False)
    _require_usable(entry.manifest, data, folder)
    content = ContentSummary.from_json(entry.manifest["content"])
    content_report.require_content(content, data, folder.class_names, f"{folder.root}/")
    notes = [*storage_notes, *content_report.notes(content, data, folder.class_names)]
    return _splits(entry, folder, spec, cache_dir, notes, resident=resident)


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
    return cache.obtain(
        cache_dir,
        _key(folder, spec, resident=resident),
        lambda entry_dir: _fill(entry_dir, folder, data, spec, progress, resident=resident),
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
    files = {
        split: [(file.path, _labels(file, folder), file.size, file.mtime_ns) for file in files]
        for split, files in folder.stored.items()
    }
    return cache.key_of(
        {
            "source": "folder",
            "root": str(folder.root),
            "resident": resident,
            "classes": folder.class_names,
            "files": files,
            "spec": asdict(spec),
        }
    )


def _fill(
    entry_dir: Path,
    folder: Layout,
    data: Data,
    spec: ImageSpec,
    progress: Progress,
    *,
    resident: bool,
) -> dict[str, Any]:
    """Verifies all files and fills a cache entry; returns its manifest.

    Raises:
        DataError: images are bad.
    """
    arrays: dict[str, np.ndarray | None] = {
        split: cache.create_array(entry_dir / f"{split}.npy", (len(files), *spec.shape))
        if resident
        else None
        for split, files in folder.stored.items()
    }
    checks, statistics = verify(folder, arrays, spec, progress)
    manifest = _manifest(folder, checks)
    _require_usable(manifest, data, folder)
    for split, array in arrays.items():
        if array is not None:
            cache.flush(array)
            usable = np.array([check.reason is None for check in checks[split]])
            cache.keep_rows(entry_dir / f"{split}.npy", usable)
    if statistics is not None:
        cache.save_statistics(entry_dir, statistics)
    return manifest


def _manifest(folder: Layout, checks: Mapping[str, list[FileCheck]]) -> dict[str, Any]:
    """Describes the usable files that are stored, and lists bad and animated ones."""
    splits: dict[str, dict[str, list[Any]]] = {}
    bad, animated = [], []
    contents: list[tuple[str, int, str, Content]] = []
    for split, files in folder.stored.items():
        rows: dict[str, list[Any]] = {"files": [], "labels": [], "sha256": []}
        for file, check in zip(files, checks[split], strict=True):
            if check.reason is not None:
                bad.append((split, file.path, check.reason))
                continue
            rows["files"].append(file.path)
            rows["labels"].append(_labels(file, folder))
            rows["sha256"].append(check.sha256)
            if check.frames > 1:
                animated.append((file.path, check.frames))
            if check.content is not None:
                group = MANY_LABELS if folder.multi_label else file.label
                of = "train" if split == POOL else split
                contents.append((of, group, file.path, check.content))
        splits[split] = rows
    return {
        "splits": splits,
        "bad": bad,
        "animated": animated,
        "content": summarise(contents).as_json(),
        "fingerprint": _fingerprint(folder, splits),
        **({"classes": len(folder.class_names)} if folder.multi_label else {}),
    }


def _labels(file: ImageFile, folder: Layout) -> int | list[int]:
    """The labels of a file as the cache holds them."""
    return list(file.labels) if folder.multi_label else file.label


def _fingerprint(folder: Layout, splits: Mapping[str, Mapping[str, list[Any]]]) -> str:
    """Hashes split, classes, relative path and content hash of every usable image (SHA-256)."""
    names = folder.class_names
    digest = hashlib.sha256(b"multi-label\n" if folder.multi_label else b"")
    for split in sorted(splits):
        rows = splits[split]
        for path, labels, sha in sorted(
            zip(rows["files"], rows["labels"], rows["sha256"], strict=True)
        ):
            # No name of a class holds a tab.
            of_image = "\t".join(names[i] for i in labels) if folder.multi_label else names[labels]
            line = f"{split}\0{of_image}\0{path}\0{sha}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _require_usable(manifest: Mapping[str, Any], data: Data, folder: Layout) -> None:
    """Checks that no image is bad, or that bad ones may be skipped and enough remain.

    Raises:
        DataError: otherwise.
    """
    bad = manifest["bad"]
    problems = [Problem(file=str(folder.root / path), message=reason) for _, path, reason in bad]
    if bad and data.on_bad_image == "error":
        total = sum(map(len, folder.stored.values()))
        ranges = any("data.value_range" in reason for _, _, reason in bad)
        raise DataError(
            f"{len(bad)} of {total} images cannot be used; "
            f"{'set data.value_range, ' * ranges}repair or remove these files, or leave "
            "them out with data.on_bad_image: skip",
            problems,
        )
    splits = rows_of_splits(manifest["splits"], folder)
    given = splits["train"]["labels"]
    remaining = set(chain.from_iterable(given) if folder.multi_label else given)
    lost = [name for label, name in enumerate(folder.class_names) if label not in remaining]
    if lost:
        lost_files = {file.path for file in folder.train if not remaining.issuperset(file.labels)}
        raise DataError(
            f"without its bad images, train has none of: {in_words(lost)}. Expected at least one "
            "a class; repair these files, or remove the class",
            [
                problem
                for problem, (split, path, _) in zip(problems, bad, strict=True)
                if split in ("train", POOL) and path in lost_files
            ],
        )
    for split, rows in splits.items():
        if not rows["labels"]:
            raise DataError(f"without its bad images, {split} is empty; repair them", problems)


def _splits(
    entry: Entry,
    folder: Layout,
    spec: ImageSpec,
    cache_dir: Path,
    notes: Sequence[str],
    *,
    resident: bool,
) -> Splits:
    stored = entry.manifest["splits"]
    used = rows_of_splits(stored, folder)

    def split(name: str) -> Split:
        columns = used[name]
        rows = np.asarray(columns["rows"]) if "rows" in columns else None
        of_entry = name if rows is None else POOL
        labels = entry.labels(of_entry)
        labels = labels if rows is None else labels[rows]
        # Of both ways of loading, so that both train on the same batches.
        order = window_order(folder, columns["files"]) if name == "train" else None
        if not resident:
            known = entry.statistics if name == "train" else None
            files = FileSplit(
                folder.root, columns["files"], labels, spec, known, order=order, store=folder.shards
            )
            if name != "train" or rows is None:
                return files
            return replace(files, statistics=statistics_of(files, rows, entry, cache_dir))
        array = entry.array_split(of_entry)
        array = replace(
            array, root=folder.root, files=stored[of_entry]["files"], store=folder.shards
        )
        if rows is None:
            return replace(array, order=order)
        subset = Subset(array, rows, new_labels=labels, order=order)
        return subset if name != "train" else with_statistics(subset, entry, cache_dir)

    return Splits(
        train=split("train"),
        validation=split("validation"),
        test=split("test") if "test" in stored else None,
        class_names=folder.class_names,
        image_shape=spec.shape,
        fingerprint=entry.manifest["fingerprint"]
        if folder.pool is None
        else _fingerprint(folder, used),
        notes=(*folder.notes, *_notes(entry.manifest, used), *notes),
        value_range=spec.value_range,
        multi_label=folder.multi_label,
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


def _notes(manifest: Mapping[str, Any], splits: Mapping[str, Mapping[str, list[Any]]]) -> list[str]:
    notes = [f"left out {quoted(path)}: {reason}" for _, path, reason in manifest["bad"]]
    notes += content_report.frames_notes([(path, frames) for path, frames in manifest["animated"]])
    for split, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        if split in splits:
            hashes = set(splits[other]["sha256"])
            shared = sum(sha in hashes for sha in splits[split]["sha256"])
            if shared:
                notes.append(f"{shared} files of {split} are byte for byte files of {other}")
    return notes
