"""Keeps decoded or verified data sets on disk, so that the work is done once.

An entry is a folder named by a hash of everything that it was made from. It is built under a
temporary name and then renamed, so a killed build leaves nothing that is used. One process of a
host builds an entry, and others that want it wait (`zoo.datasets.build_lock`); on disks without
locks, and on hosts that share a cache, each builds, and all succeed. An entry is built again if its
manifest was edited, or if a file is of another size than it says or cannot be read.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import PIL

from zoo.datasets import stored_files
from zoo.datasets.build_lock import BUILDING, building, folder_of, share
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding import heif
from zoo.datasets.splits import ArraySplit
from zoo.errors import StorageFault
from zoo.files.storage import fault
from zoo.progress import Progress, no_progress
from zoo.text.sizes import size_text

FORMAT = 4  # Version of an entry's files and of how images are decoded.
MANIFEST = "manifest.json"
STATISTICS = "statistics.npz"
UNFINISHED = "unfinished"
ABANDONED_SECONDS = 24 * 3600
SPARE_BYTES = 64 * 2**20  # Free space that an entry leaves on the disk.


@dataclass(frozen=True)
class Entry:
    """One entry of the cache.

    Args:
        folder: where its files are.
        manifest: describes it: the labels of each split, and what the source adds.
    """

    folder: Path
    manifest: dict[str, Any]

    @property
    def statistics(self) -> PixelStatistics | None:
        """Statistics of the training split, if the entry holds them."""
        if STATISTICS not in self.manifest["sizes"]:
            return None
        with np.load(self.folder / STATISTICS) as stored:
            return PixelStatistics(
                int(stored["count"]), stored["sums"], stored["squares"], stored["histograms"]
            )

    def labels(self, split: str) -> np.ndarray:
        """Returns the labels of a split: int32 (n,), or of multi-label data uint8 (n, classes)."""
        stored = self.manifest["splits"][split]
        classes = self.manifest.get("classes")
        if "labels" not in stored:
            return stored_files.read(self.folder, split, stored).labels(classes)
        labels = stored["labels"]
        if classes is None:
            return np.asarray(labels, np.int32)
        table = np.zeros((len(labels), classes), np.uint8)
        rows = np.repeat(np.arange(len(labels)), list(map(len, labels)))
        table[rows, np.fromiter(chain.from_iterable(labels), np.int64, len(rows))] = 1
        return table

    def array_split(self, split: str) -> ArraySplit:
        """Returns the images of a split, mapped from the disk."""
        pixels = np.load(self.folder / f"{split}.npy", mmap_mode="r").view(np.ndarray)
        statistics = self.statistics if split == "train" else None
        return ArraySplit(pixels, self.labels(split), statistics)


def key_of(description: Mapping[str, Any]) -> str:
    """Hashes a description, as JSON, this format and the readers' versions to an entry's key."""
    readers = {"pillow": PIL.__version__, "heif": heif.version()}
    complete = {"format": FORMAT, **readers, **description}
    return hashlib.sha256(json.dumps(complete, sort_keys=True).encode()).hexdigest()[:32]


def find(cache: Path, key: str) -> Entry | None:
    """Returns the entry of a key; None if there is none or it is damaged."""
    folder = cache / key
    if not share(folder):
        return None
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="ascii"))
        if manifest["format"] != FORMAT or manifest["digest"] != _digest(manifest):
            return None
        if any((folder / name).stat().st_size != size for name, size in manifest["sizes"].items()):
            return None
        entry = Entry(folder, manifest)
        _require_readable(entry)
    # Whatever is wrong with an entry, it is built again.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, BadZipFile):
        return None
    return entry


def _digest(manifest: Mapping[str, Any]) -> str:
    """Hash of a manifest without its own digest: an edited one is not used."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _require_readable(entry: Entry) -> None:
    """Reads the headers of an entry's arrays.

    Raises:
        ValueError: an array cannot be read, or has not one image per label.
    """
    for name in entry.manifest["sizes"]:
        split, _, rest = name.partition(".")
        if rest.endswith("npy"):
            rows = len(np.load(entry.folder / name, mmap_mode="r"))
            if f".{rest}" != stored_files.PATHS and rows != _count(entry.manifest["splits"][split]):
                raise ValueError(f"{name}: another number of images than of labels")
    _ = entry.statistics


def _count(stored: Mapping[str, Any]) -> int:
    """The number of images of a split, as the manifest has it."""
    return len(stored["labels"]) if "labels" in stored else int(stored["count"])


def obtain(
    cache: Path,
    key: str,
    fill: Callable[[Path], dict[str, Any]],
    needed: int,
    progress: Progress = no_progress,
) -> Entry:
    """Returns the entry of a key, built if it is not there: by one process of the host.

    Args:
        cache: folder of the cache.
        key: key of the entry.
        fill: writes files into a folder and returns the manifest. If it leaves a file named
            `UNFINISHED` there when it is interrupted or killed, the folder is kept, and the next
            `fill` finds it; it removes that file when it is done.
        needed: bytes of pixels that it will write.
        progress: told while another process builds the entry.

    Raises:
        StorageFault: the cache cannot be written, or the disk lacks the space.
    """
    entry = find(cache, key)
    if entry is not None:
        return entry
    built = None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(cache, key)
        with building(cache, key, lambda: find(cache, key) is not None, progress) as folder:
            if folder is not None:
                if not (folder / UNFINISHED).exists():
                    _empty(folder)
                    check_space(cache, needed)
                built = _build(folder, cache, key, fill)
    except OSError as error:
        raise _unwritable(cache, error, needed) from None
    if built is not None:
        share(built.folder)  # Not before the lock of its building ended.
        return built
    return find(cache, key) or obtain(cache, key, fill, needed, progress)


def _build(folder: Path, cache: Path, key: str, fill: Callable[[Path], dict[str, Any]]) -> Entry:
    """Fills a folder and renames it; removes it after an error, unless it can be resumed."""
    keeps = False
    try:
        manifest = fill(folder)
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
        # As it is read back: JSON makes text of the labels that are keys, and sorts them otherwise.
        manifest = json.loads(json.dumps({**manifest, "format": FORMAT, "sizes": sizes}))
        manifest["digest"] = _digest(manifest)
        with open(folder / MANIFEST, "w", encoding="ascii") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        return _publish(folder, cache, key, manifest)
    except (KeyboardInterrupt, SystemExit):
        keeps = (folder / UNFINISHED).exists()
        raise
    finally:
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    """Removes what a killed build left."""
    for path in folder.iterdir():
        path.unlink()


def check_space(cache: Path, needed: int) -> None:
    """Checks that the disk of the cache has room for `needed` more bytes of pixels.

    Raises:
        StorageFault: it has not.
    """
    if not has_space(cache, needed):
        free = shutil.disk_usage(_existing(cache)).free
        raise StorageFault(
            f"the cache {cache} needs {size_text(needed)}, and leaves {size_text(SPARE_BYTES)} "
            f"free. Expected {size_text(needed + SPARE_BYTES)} of free disk. Received "
            f"{size_text(free)}; set ZOO_CACHE to a folder on a larger disk, or data.loading to "
            "streamed.",
            errno.ENOSPC,
        )


def has_space(cache: Path, needed: int) -> bool:
    """Whether the disk of the cache has room for `needed` more bytes of pixels."""
    return not needed or shutil.disk_usage(_existing(cache)).free >= needed + SPARE_BYTES


def create_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Creates a uint8 .npy file of full size and maps it for writing.

    Its space on the disk is reserved: on a full disk, writing to a mapped file kills the process.

    Raises:
        OSError: the disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate") and array.nbytes:
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # Some network disks.
                    raise
    return array


def flush(array: np.ndarray) -> None:
    """Writes a mapped array out to the disk."""
    if isinstance(array, np.memmap):
        array.flush()


def keep_rows(path: Path, keep: np.ndarray) -> None:
    """Rewrites a .npy file with only those rows where the bool array `keep` (n,) is true."""
    rows = np.flatnonzero(keep)
    if len(rows) == len(keep):
        return
    old = np.load(path, mmap_mode="r")
    new_path = path.with_suffix(".kept")
    new = create_array(new_path, (len(rows), *old.shape[1:]))
    for start in range(0, len(rows), 1024):
        new[start : start + 1024] = old[rows[start : start + 1024]]
    flush(new)
    os.replace(new_path, path)


def save_statistics(folder: Path, statistics: PixelStatistics) -> None:
    """Writes the statistics of the training split into an entry that is being built."""
    np.savez(
        folder / STATISTICS,
        count=statistics.count,
        sums=statistics.sums,
        squares=statistics.squares,
        histograms=statistics.histograms,
    )


def _publish(folder: Path, cache: Path, key: str, manifest: dict[str, Any]) -> Entry:
    """Renames a finished folder to its key; if another process was first, returns its entry."""
    final = cache / key
    for _ in range(3):
        with contextlib.suppress(OSError):
            os.rename(folder, final)
            return Entry(final, manifest)
        other = find(cache, key)
        if other is not None:
            return other
        # The old entry is damaged: move it away, then try again.
        with (
            contextlib.suppress(OSError),
            tempfile.TemporaryDirectory(prefix=BUILDING, dir=cache) as trash,
        ):
            os.rename(final, Path(trash) / "broken")
    raise OSError(f"{final} cannot be replaced")


def _remove_abandoned(cache: Path, key: str) -> None:
    """Removes the folders of other killed builds once nothing in them has changed for a day."""
    oldest = time.time() - ABANDONED_SECONDS
    for folder in cache.glob(f"{BUILDING}*"):
        if folder == folder_of(cache, key):
            continue
        with contextlib.suppress(OSError):
            if max(path.stat().st_mtime for path in (folder, *folder.iterdir())) < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _existing(path: Path) -> Path:
    """Returns the path or its nearest parent that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _unwritable(cache: Path, error: OSError, needed: int) -> StorageFault:
    name = f"the cache {cache}"
    if error.errno is None:
        reason = f"{name}: cannot be written: {error}."
    else:
        reason = fault(error.errno, cache, needed or None, writing=True, name=name).message
    return StorageFault(
        f"{reason} Or set ZOO_CACHE to a folder that can be written and has room.", error.errno
    )
