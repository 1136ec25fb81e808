"""Decodes every file of a folder once, before training, and records which cannot be used.

What was verified before, and has the same size and time, is not decoded again, unless its pixels
are needed: for the cache, or for the sums over the training images.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding import images
from zoo.datasets.decoding.image_content import PLAIN, Content
from zoo.datasets.decoding.images import BadImage, ImageSpec
from zoo.datasets.file_list import FileList, ImageFile
from zoo.datasets.folders.manifest import BAD, CHANGED, NO_DIGEST
from zoo.datasets.image_files import Layout
from zoo.datasets.stored_files import SHA256_BYTES
from zoo.datasets.stores import ImageStore
from zoo.datasets.threads import as_results_arrive
from zoo.datasets.verified import ADDED, SAME, FileCheck, Known, Record, keys_of
from zoo.progress import Progress

CHUNK = 64  # Files a thread verifies at once.
SUM_BYTES = 2**20  # Pixels that a thread sums up at once.
ABSENT = bytes(SHA256_BYTES)  # Stands for the hash of a file that cannot be read.


@dataclass
class Checks:
    """What was found out about the files of a split.

    Args:
        sha256: uint8 (n, 32), hashes of their contents.
        bad: {row: why it cannot be used}.
        frames: {row: number of frames or pages}, of files with several.
        odd: {row: what decoding keeps of it}, of usable files that are not plain.
    """

    sha256: np.ndarray
    bad: dict[int, str] = field(default_factory=dict)
    frames: dict[int, int] = field(default_factory=dict)
    odd: dict[int, Content] = field(default_factory=dict)

    def put(self, row: int, check: FileCheck) -> None:
        """Stores what was found out about one file."""
        self.sha256[row] = np.frombuffer(check.sha256, np.uint8)
        if check.reason is not None:
            self.bad[row] = check.reason
        elif check.frames > 1:
            self.frames[row] = check.frames
        if check.content is not None and check.content is not PLAIN:
            self.odd[row] = check.content

    @property
    def usable(self) -> np.ndarray:
        """Bool (n,): whether each file can be used."""
        usable = np.ones(len(self.sha256), bool)
        usable[list(self.bad)] = False
        return usable

    def contents(self, paths: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, Content]]:
        """Yields (group, path, content) of each usable file, from (group, path) of all."""
        for row, (group, path) in enumerate(paths):
            if row not in self.bad:
                yield group, path, self.odd.get(row, PLAIN)


@dataclass
class Pixels:
    """Where the decoded images of a split go.

    Args:
        array: uint8 (n, height, width, channels).
        present: bool (n,), images that a killed build wrote already.
    """

    array: np.ndarray
    present: np.ndarray


@dataclass
class _Work:
    """What is to be done for the files of a split.

    Args:
        files: the files.
        known: int64 (n,), their rows in the record; -1 for unknown ones.
        sums: int8 (n,): 1: its pixels go into the sums, -1: they are taken out, 0: neither.
        pixels: where decoded images go; None where none are kept.
    """

    files: FileList
    known: np.ndarray
    sums: np.ndarray
    pixels: Pixels | None

    def rows(self) -> np.ndarray:
        """The rows that need any work."""
        needed = (self.known < 0) | (self.sums != 0)
        if self.pixels is not None:
            needed |= ~self.pixels.present
        return np.flatnonzero(needed)


Result = tuple[str, list[int], list[FileCheck], PixelStatistics | None, PixelStatistics | None]


def verify(
    layout: Layout,
    pixels: Mapping[str, Pixels | None],
    spec: ImageSpec,
    progress: Progress,
    record: Record,
    on_save: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Checks], PixelStatistics | None]:
    """Decodes all files that are stored, of all splits, in threads.

    Args:
        layout: the files.
        pixels: {split: where its decoded images go, or None}.
        spec: size and channels.
        progress: called with (images done, images in all, what is being done).
        record: what was verified before; gets what is verified now.
        on_save: called before the record is written, to write the pixels.

    Returns:
        {split: what was found out}, and the statistics over usable training images; None if there
        are none.

    Raises:
        OSError: the record cannot be written.
    """
    work, statistics = _planned(layout, pixels, record)
    checks = {split: _known_checks(of, record) for split, of in work.items()}
    jobs = [(split, rows[start : start + CHUNK]) for split, of in work.items()
            for rows in [of.rows()] for start in range(0, len(rows), CHUNK)]  # fmt: skip
    total = sum(len(of.files) for of in work.values())
    done = total - sum(len(rows) for _, rows in jobs)

    def verify_chunk(split: str, rows: np.ndarray) -> Result:
        return split, rows.tolist(), *_verify_rows(layout.store, work[split], rows, spec)

    try:
        with closing(as_results_arrive(verify_chunk, jobs, "zoo-verify")) as results:
            for split, rows, found, added, taken in results:
                for row, check in zip(rows, found, strict=True):
                    checks[split].put(row, check)
                statistics = _joined(_joined(statistics, added), taken, sign=-1)
                _remember(record, work[split], rows, found)
                done += len(rows)
                progress(done, total, "checking images")
                if record.is_due:
                    on_save()
                    record.save(statistics)
    finally:
        if record.exists:
            on_save()
            record.save(statistics)
    return checks, statistics


def _planned(
    layout: Layout, pixels: Mapping[str, Pixels | None], record: Record
) -> tuple[dict[str, _Work], PixelStatistics | None]:
    """Finds out which files need work, and which sums it begins with.

    Files that left the training split are taken out of the sums if they are in another split now;
    if any of them is gone, the sums begin anew.
    """
    known = record.known
    keys = {split: keys_of(files) for split, files in layout.stored.items()}
    work = {
        split: _Work(files, known.rows_of(keys[split]), np.zeros(len(files), np.int8),
                     pixels.get(split))
        for split, files in layout.stored.items()
    }  # fmt: skip
    if "train" not in work:  # Of folds, each computes its own.
        return work, None
    summed = known.summed_keys()
    left = summed[~np.isin(summed, keys["train"])]
    others = [keys[split] for split in keys if split != "train"]
    if not np.isin(left, np.concatenate([*others, left[:0]])).all():
        record.clear_sums()
        work["train"].sums[:] = ADDED
        return work, None
    work["train"].sums[~np.isin(keys["train"], summed)] = ADDED
    for split in keys:
        if split != "train":
            work[split].sums[np.isin(keys[split], left)] = -1
    return work, known.sums


def known_hashes(files: FileList, known: Known, places: np.ndarray | None = None) -> np.ndarray:
    """Returns the hashes of files that were verified before, uint8 (n, 32); zeros for others.

    Args:
        files: the files.
        known: what was verified.
        places: their rows in it, if they are at hand.
    """
    hashes = np.zeros((len(files), SHA256_BYTES), np.uint8)
    places = known.rows_of(keys_of(files)) if places is None else places
    rows = np.flatnonzero(places >= 0)
    if len(rows):
        of_record = np.frombuffer(known.sha256, np.uint8).reshape(-1, SHA256_BYTES)
        hashes[rows] = of_record[places[rows]]
    return hashes


def _known_checks(work: _Work, record: Record) -> Checks:
    checks = Checks(known_hashes(work.files, record.known, work.known))
    rows = np.flatnonzero(work.known >= 0)
    if len(rows) and record.known.odd:
        for row in rows.tolist():
            if int(work.known[row]) in record.known.odd:
                checks.put(row, record.known.check(int(work.known[row])))
    return checks


def _remember(record: Record, work: _Work, rows: list[int], checks: list[FileCheck]) -> None:
    for change in (ADDED, SAME):
        of = [(work.files[row], check) for row, check in zip(rows, checks, strict=True)
              if (work.sums[row] == ADDED) == (change == ADDED)
              and (change == ADDED or work.known[row] < 0)]  # fmt: skip
        record.add(change, [file for file, _ in of], [check for _, check in of])
    taken = [work.files[row] for row in rows if work.sums[row] < 0]
    if taken:
        record.take(taken)


def _verify_rows(
    store: ImageStore, work: _Work, rows: np.ndarray, spec: ImageSpec
) -> tuple[list[FileCheck], PixelStatistics | None, PixelStatistics | None]:
    """Decodes some files of one split, into its pixels if kept; sums up what is to be summed."""
    checks: list[FileCheck] = []
    sums = {1: _Sums(spec), -1: _Sums(spec)}
    for row in rows.tolist():
        file, kept = work.files[row], work.pixels
        check, decoded = _verify_file(store, file, work.files.digest(row), spec)
        checks.append(check)
        if decoded is None:
            continue
        if kept is not None:
            kept.array[row] = decoded
            kept.present[row] = True
        if work.sums[row]:
            sums[int(work.sums[row])].add(decoded)
    return checks, sums[1].total(), sums[-1].total()


def _verify_file(
    store: ImageStore, file: ImageFile, trusted: bytes | None, spec: ImageSpec
) -> tuple[FileCheck, np.ndarray | None]:
    """Decodes a file; its content must have the hash `trusted`, if that is given."""
    if trusted == NO_DIGEST:  # As where the manifest was written, and where images stream.
        return FileCheck(ABSENT, 1, BAD, None), None
    digest = ABSENT
    try:
        content = store.read(file.path, spec.max_megapixels)
        digest = hashlib.sha256(content).digest()
        if trusted is not None and digest != trusted:
            return FileCheck(digest, 1, CHANGED, None), None
        decoded = images.decode(content, spec, measure=True)
    except BadImage as error:
        return FileCheck(digest, 1, str(error), None), None
    return FileCheck(digest, decoded.frames, None, decoded.content), decoded.pixels


class _Sums:
    """Sums over images, some at a time."""

    def __init__(self, spec: ImageSpec) -> None:
        self._most = max(1, SUM_BYTES // math.prod(spec.shape))
        self._waiting: list[np.ndarray] = []
        self._total: PixelStatistics | None = None

    def add(self, image: np.ndarray) -> None:
        self._waiting.append(image)
        if len(self._waiting) >= self._most:
            self.total()

    def total(self) -> PixelStatistics | None:
        if self._waiting:
            self._total = _joined(self._total, PixelStatistics.of(np.stack(self._waiting)))
            self._waiting = []
        return self._total


def _joined(
    sums: PixelStatistics | None, more: PixelStatistics | None, sign: int = 1
) -> PixelStatistics | None:
    if more is None:
        return sums
    if sums is None:
        return more
    return sums + more if sign > 0 else sums - more
