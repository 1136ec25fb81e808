"""Remembers which files were verified, so that a killed verification goes on where it stopped.

A record belongs to one folder and one way of decoding. It is a text that only grows, a line for
some dozens of files with their sizes, times and hashes; beside it are the sums over the pixels of
the training files among them. It is written once a verification takes longer than `AFTER_SECONDS`,
and stays: when files were added or changed, the others need not be read again.
"""

from __future__ import annotations

import json
import os
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np

from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding.image_content import PLAIN, Content
from zoo.datasets.file_list import FileList, ImageFile
from zoo.datasets.stored_files import SHA256_BYTES

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None  # type: ignore[assignment]

AFTER_SECONDS = 5.0  # A verification that is quicker leaves no record.
EVERY_SECONDS = 5.0  # What a killed verification loses at most.
STALE = 4  # Times the files that there are: a larger record is removed.
ADDED, SAME, TAKEN, CLEARED = 1, 0, -1, "cleared"  # What a line does to the sums.


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What was found out about one file.

    Args:
        sha256: hash of its content, 32 bytes; zeros for a file that cannot be read.
        frames: number of its frames or pages.
        reason: why it cannot be used; None if it can.
        content: what decoding keeps of it; None if it cannot be used.
    """

    sha256: bytes
    frames: int = 1
    reason: str | None = None
    content: Content | None = PLAIN


def keys_of(files: FileList) -> np.ndarray:
    """Hashes path, size and time of each file: int64 (n,), of this process alone."""
    rows = zip(files.paths, files.sizes, files.times, strict=True)
    return np.fromiter(map(hash, rows), np.int64, len(files))


@dataclass
class Known:
    """Files that were verified before.

    Args:
        keys: as `keys_of` makes them.
        sha256: hashes of their contents, one after the other.
        odd: {row: (frames, content)} of files that are not plain.
        summed: whether each file's pixels are in `sums`.
        sums: over the pixels of files.
    """

    keys: array[int] = field(default_factory=lambda: array("q"))
    sha256: bytearray = field(default_factory=bytearray)
    odd: dict[int, tuple[int, Content]] = field(default_factory=dict)
    summed: bytearray = field(default_factory=bytearray)
    sums: PixelStatistics | None = None

    def rows_of(self, keys: np.ndarray) -> np.ndarray:
        """Returns the row of each key, int64 (n,): the latest one; -1 for an unknown key."""
        own = np.asarray(self.keys, np.int64)
        if not len(own):
            return np.full(len(keys), -1)
        order = np.argsort(own, kind="stable")
        places = np.searchsorted(own[order], keys, side="right") - 1
        rows = order[np.maximum(places, 0)]
        return np.where(own[rows] == keys, rows, -1)

    def summed_keys(self) -> np.ndarray:
        """Returns the keys of the files whose pixels are in `sums`, each once."""
        summed = np.frombuffer(self.summed, np.uint8) if self.summed else np.zeros(0, np.uint8)
        return np.unique(np.asarray(self.keys, np.int64)[summed == 1])

    def check(self, row: int) -> FileCheck:
        """Returns what is known of a file."""
        frames, content = self.odd.get(row, (1, PLAIN))
        sha = bytes(self.sha256[row * SHA256_BYTES : (row + 1) * SHA256_BYTES])
        return FileCheck(sha, frames, None, content)

    def add(self, change: int, lines: Sequence[Sequence[Any]]) -> None:
        """Adds the files of a line of the record."""
        for path, size, mtime_ns, sha, frames, content in lines:
            row = len(self.keys)
            self.keys.append(hash((path, size, mtime_ns)))
            self.sha256 += bytes.fromhex(sha)
            self.summed.append(change == ADDED)
            if frames > 1 or content is not None:
                self.odd[row] = (frames, PLAIN if content is None else _content(content))

    def take(self, lines: Sequence[Sequence[Any]]) -> None:
        """Notes that files are no longer in the sums."""
        keys = np.asarray([hash(tuple(line[:3])) for line in lines], np.int64)
        summed = np.isin(np.asarray(self.keys, np.int64), keys)
        for row in np.flatnonzero(summed):
            self.summed[row] = 0


class Record:
    """The record of a folder's files.

    Args:
        path: of its text; the sums are beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._is_held_elsewhere = False
        self._sums_file = path.with_suffix(".npz")
        self._started = self._saved = time.monotonic()
        self._lines: list[bytes] = []
        self.known = Known()
        self._count = 0  # Files in the text, some of them several times.
        self._end = 0  # Bytes of the text after the last save.

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        now = time.monotonic()
        return now - self._saved >= EVERY_SECONDS and now - self._started >= AFTER_SECONDS

    @property
    def exists(self) -> bool:
        """Whether anything was saved."""
        return self._path.exists()

    def read(self) -> None:
        """Reads what was saved before; a record that cannot be read is begun anew."""
        if not self.exists or not self._open():
            return
        try:
            sums, end = self._read_sums()
            self._read_lines(end)
            self.known.sums = sums
            self._count = len(self.known.keys)
        except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, IndexError):
            self.known, end = Known(), 0
            self._lines.clear()
        if self._file is not None:
            self._file.truncate(end)
            self._file.seek(0, os.SEEK_END)
            self._end = end

    def close(self) -> None:
        """Lets other processes write the record."""
        if self._file is not None:
            self._file.close()

    def forget_if_stale(self, files: int) -> None:
        """Removes a record that holds far more files than there are: it only grows.

        Args:
            files: number of files that there are.
        """
        if self._file is not None and self._count > STALE * files:
            self._remove()

    def _remove(self) -> None:
        self._path.unlink(missing_ok=True)
        self._sums_file.unlink(missing_ok=True)

    def add(self, change: int, files: Sequence[ImageFile], checks: Sequence[FileCheck]) -> None:
        """Remembers files; those that cannot be used are verified again each time.

        Args:
            change: `ADDED`: their pixels are in the sums; `SAME`: they are not.
            files: the files.
            checks: what was found out about each.
        """
        lines = [
            [file.path, file.size, file.mtime_ns, check.sha256.hex(), check.frames,
             None if check.content is PLAIN or check.content is None else check.content.as_json()]
            for file, check in zip(files, checks, strict=True)
            if check.reason is None
        ]  # fmt: skip
        if lines:
            self._count += len(lines)
            self._append([change, lines])

    def take(self, files: Sequence[ImageFile]) -> None:
        """Notes that the pixels of files are no longer in the sums."""
        self._append([TAKEN, [[file.path, file.size, file.mtime_ns] for file in files]])

    def clear_sums(self) -> None:
        """Notes that the sums begin anew."""
        self._append([CLEARED, []])

    def save(self, sums: PixelStatistics | None) -> None:
        """Writes what was remembered, with the sums over all files that were added to them.

        Raises:
            OSError: the disk does not take it.
        """
        if not self._open() or self._file is None:
            self._lines.clear()
            return
        if os.fstat(self._file.fileno()).st_size != self._end:
            # Another host writes, on a disk whose locks hold on one host alone.
            self.close()
            self._remove()
            self._lines.clear()
            self._file, self._is_held_elsewhere = None, True
            return
        self._file.write(b"".join(self._lines))
        self._lines.clear()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._end = self._file.tell()
        temporary = self._sums_file.with_suffix(".new")
        columns = {} if sums is None else {name: getattr(sums, name) for name in _SUMS}
        with open(temporary, "wb") as file:
            np.savez(file, end=self._end, **columns)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._sums_file)
        self._saved = time.monotonic()

    def _open(self) -> bool:
        """Opens the text, if need be, and keeps other processes out; whether it worked."""
        if self._file is None and not self._is_held_elsewhere:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = open(self._path, "a+b")  # noqa: SIM115
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._file = file
            except OSError:  # Or a disk without locks, where two writers would spoil the sums.
                self._is_held_elsewhere = True
                file.close()
        return self._file is not None

    def _append(self, line: list[Any]) -> None:
        if not self._is_held_elsewhere:
            self._lines.append(json.dumps(line).encode() + b"\n")

    def _read_sums(self) -> tuple[PixelStatistics | None, int]:
        try:
            with open(self._sums_file, "rb") as file, np.load(file) as stored:
                if "count" not in stored:
                    return None, int(stored["end"])
                values = {name: stored[name] for name in _SUMS}
                return PixelStatistics(**values | {"count": int(values["count"])}), int(
                    stored["end"]
                )
        except FileNotFoundError:
            return None, 0

    def _read_lines(self, end: int) -> None:
        """Reads the lines; those behind byte `end` were written, but not the sums with them."""
        place = 0
        with open(self._path, "rb") as text:
            for line in text:
                if not line.endswith(b"\n"):  # Torn.
                    break
                change, files = json.loads(line)
                place += len(line)
                if place > end:
                    if change in (ADDED, SAME):
                        self.known.add(SAME, files)
                        self._append([SAME, files])
                elif change == CLEARED:
                    self.known.summed = bytearray(len(self.known.summed))
                elif change == TAKEN:
                    self.known.take(files)
                else:
                    self.known.add(change, files)
        if place < end:
            raise ValueError("the record is shorter than its sums say")


_SUMS = ("count", "sums", "squares", "histograms")


def _content(values: dict[str, Any]) -> Content:
    pairs = {name: tuple(values[name]) for name in ("limits", "middle", "hue")
             if values[name] is not None}  # fmt: skip
    return Content(**{**values, **pairs})
