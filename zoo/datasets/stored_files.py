"""The image files of an entry of the cache, in columns on the disk.

A start maps them and reads what it needs; as JSON, the paths and hashes of 14 million files would
take five gigabytes of memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.file_list import FileList, Paths

SHA256_BYTES = 32
PATHS, ROWS = ".paths.npy", ".files.npy"  # Endings of the two files of a split.
ROW = np.dtype([("end", "<i8"), ("labels", "<i4"), ("sha256", "u1", 32)])
MAX_RUNS = 2**14  # Sorted runs of paths that are merged without a list of all paths.


@dataclass(frozen=True, eq=False)
class StoredFiles:
    """Usable files of a split.

    Args:
        paths: relative to the root.
        label_ids: int32 (n,), places in `label_sets`.
        label_sets: labels that files have, each once.
        sha256: uint8 (n, 32), hashes of the files' contents.
    """

    paths: Paths
    label_ids: np.ndarray
    label_sets: Sequence[tuple[int, ...]]
    sha256: np.ndarray

    def __len__(self) -> int:
        return len(self.label_ids)

    def take(self, rows: np.ndarray) -> StoredFiles:
        """Returns the files of some rows, int64 (k,)."""
        return replace(
            self,
            paths=self.paths.take(rows.tolist()),
            label_ids=self.label_ids[rows],
            sha256=self.sha256[rows],
        )

    def labels_present(self) -> set[int]:
        """Returns the labels that files have."""
        used = np.unique(self.label_ids).tolist()
        return {label for place in used for label in self.label_sets[place]}

    def labels(self, classes: int | None) -> np.ndarray:
        """Returns int32 (n,), or of multi-label data uint8 (n, classes).

        Args:
            classes: number of classes of multi-label data; None for data of one label an image.
        """
        if classes is None:
            first = np.asarray([labels[0] for labels in self.label_sets], np.int32)
            of_files: np.ndarray = first[self.label_ids]
            return of_files
        table = np.zeros((len(self.label_sets), classes), np.uint8)
        for place, labels in enumerate(self.label_sets):
            table[place, list(labels)] = 1
        rows: np.ndarray = table[self.label_ids]
        return rows

    def by_path(self) -> Iterator[tuple[str, int]]:
        """Yields (path, row) sorted by path, with few of them in memory."""
        starts, last = [0], ""
        for row, path in enumerate(self.paths):
            if path < last:
                starts.append(row)
            last = path
        if len(starts) > MAX_RUNS:
            yield from sorted((path, row) for row, path in enumerate(self.paths))
            return
        ends = [*starts[1:], len(self)]
        yield from heapq.merge(*map(self._run, starts, ends))

    def _run(self, start: int, end: int) -> Iterator[tuple[str, int]]:
        return ((self.paths[row], row) for row in range(start, end))


def of_list(files: FileList, sha256: np.ndarray) -> StoredFiles:
    """Returns the files of a list, with their hashes: uint8 (n, 32)."""
    ids = np.asarray(files.label_ids, np.int32)
    return StoredFiles(files.paths, ids, files.label_sets, sha256)


def save(folder: Path, split: str, files: StoredFiles) -> dict[str, Any]:
    """Writes the files of a split into an entry that is being built.

    Returns:
        What the entry's manifest says of the split.
    """
    np.save(folder / f"{split}{PATHS}", np.asarray(memoryview(files.paths.text), np.uint8))
    rows = np.empty(len(files), ROW)
    rows["end"] = files.paths.ends
    rows["labels"] = files.label_ids
    rows["sha256"] = files.sha256
    np.save(folder / f"{split}{ROWS}", rows)
    return {"count": len(files), "label_sets": [list(labels) for labels in files.label_sets]}


def read(folder: Path, split: str, part: dict[str, Any]) -> StoredFiles:
    """Maps the files of a split.

    Args:
        folder: of the entry.
        split: its name.
        part: what `save` returned.
    """
    rows = np.load(folder / f"{split}{ROWS}", mmap_mode="r").view(np.ndarray)
    text = np.load(folder / f"{split}{PATHS}", mmap_mode="r").view(np.ndarray)
    sets = [tuple(labels) for labels in part["label_sets"]]
    # A copy of the small columns: rows of the file are read together with their hashes.
    ends, labels = np.ascontiguousarray(rows["end"]), np.ascontiguousarray(rows["labels"])
    return StoredFiles(Paths(text, ends), labels, sets, rows["sha256"])


def shared(files: StoredFiles, others: StoredFiles) -> int:
    """Counts the files of one split that are, byte for byte, files of another."""
    starts, other_starts = (np.ascontiguousarray(of.sha256[:, :8]).view("<u8")[:, 0]
                            for of in (files, others))  # fmt: skip
    likely = np.flatnonzero(np.isin(starts, other_starts))
    matching = np.flatnonzero(np.isin(other_starts, starts[likely]))
    known = {others.sha256[row].tobytes() for row in matching}
    return sum(files.sha256[row].tobytes() in known for row in likely)
