"""Keeps decoded or verified data sets on disk, so that the work is done once.

An entry is a folder named by a key over all that it was made from. It is built under a temporary
name and renamed: a killed build leaves nothing that is used, and two builders both end well. An
entry whose files do not have the sizes that its manifest tells is built again.
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
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from zoo.data.splits import ArraySplit
from zoo.data.statistics import Statistics
from zoo.errors import EnvironmentFault

FORMAT = 2  # Of the files, and of how images are decoded.
MANIFEST = "manifest.json"
STATISTICS = "statistics.npz"
BUILDING = ".building-"
ABANDONED_SECONDS = 24 * 3600
SPARE_BYTES = 64 * 2**20  # what a full disk should keep for others

Progress = Callable[[int, int, str], None]


def silent(done: int, total: int, what: str) -> None:
    """The progress that shows nothing."""


@dataclass(frozen=True)
class Entry:
    """One entry of the cache: its folder, and the manifest that describes it."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def statistics(self) -> Statistics | None:
        """Those of the training split, where they have been kept."""
        if STATISTICS not in self.manifest["sizes"]:
            return None
        with np.load(self.folder / STATISTICS) as stored:
            return Statistics(int(stored["count"]), stored["sums"], stored["squares"])

    def labels(self, split: str) -> np.ndarray:
        """int32 (n,)."""
        return np.asarray(self.manifest["splits"][split]["labels"], np.int32)

    def array_split(self, split: str) -> ArraySplit:
        """The images of a split, mapped from the disk."""
        pixels = np.load(self.folder / f"{split}.npy", mmap_mode="r").view(np.ndarray)
        statistics = self.statistics if split == "train" else None
        return ArraySplit(pixels, self.labels(split), statistics)


def directory(given: Path | None = None) -> Path:
    """Where the cache is: `given`, else $ZOO_CACHE, else $XDG_CACHE_HOME/zoo, else ~/.cache/zoo."""
    if given is not None:
        return given
    own = os.environ.get("ZOO_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "zoo"


def key_of(description: Mapping[str, Any]) -> str:
    """The key of what `description` (JSON-able) tells, of this format and of this decoder."""
    whole = {"format": FORMAT, "pillow": PIL.__version__, **description}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


def find(cache: Path, key: str) -> Entry | None:
    """The entry of a key, if it is whole."""
    folder = cache / key
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="ascii"))
        whole = manifest["format"] == FORMAT and all(
            (folder / name).stat().st_size == size for name, size in manifest["sizes"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Entry(folder, manifest) if whole else None


def store(cache: Path, key: str, fill: Callable[[Path], dict[str, Any]], needed: int) -> Entry:
    """Builds the entry of a key: `fill` writes files into a folder and returns the manifest.

    `needed` is the number of bytes that it will write.

    Raises:
        EnvironmentFault: the cache cannot be written, or the disk lacks the space.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(cache)
        check_space(cache, needed)
        building = Path(tempfile.mkdtemp(prefix=BUILDING, dir=cache))
    except OSError as error:
        raise _unwritable(cache, error) from None
    try:
        manifest = fill(building)
        sizes = {path.name: path.stat().st_size for path in building.iterdir()}
        manifest = {**manifest, "format": FORMAT, "sizes": sizes}
        with open(building / MANIFEST, "w", encoding="ascii") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        return _publish(building, cache, key, manifest)
    except OSError as error:
        raise _unwritable(cache, error) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def check_space(cache: Path, needed: int) -> None:
    """Raises EnvironmentFault unless the disk of the cache has room for `needed` bytes more."""
    if not has_space(cache, needed):
        free = shutil.disk_usage(_existing(cache)).free
        raise EnvironmentFault(
            f"the cache {cache} needs {needed / 1e9:.2f} GB. Received {free / 1e9:.2f} GB of free "
            "disk; set ZOO_CACHE to a folder on a larger disk, or data.loading to streamed"
        )


def has_space(cache: Path, needed: int) -> bool:
    """Whether the disk of the cache has room for `needed` bytes more."""
    return shutil.disk_usage(_existing(cache)).free >= needed + SPARE_BYTES


def create_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A new uint8 .npy file, mapped for writing, with its space on the disk taken.

    Raises:
        OSError: the disk is full. (Without taking the space first, a later write would crash.)
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate") and array.nbytes:
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # some network disks
                    raise
    return array


def flush(array: np.ndarray) -> None:
    """Writes a mapped array out to the disk."""
    if isinstance(array, np.memmap):
        array.flush()


def keep_rows(path: Path, keep: np.ndarray) -> None:
    """Rewrites a .npy file with the rows of the bool array `keep` (n,) alone."""
    rows = np.flatnonzero(keep)
    if len(rows) == len(keep):
        return
    whole = np.load(path, mmap_mode="r")
    shorter = path.with_suffix(".kept")
    kept = create_array(shorter, (len(rows), *whole.shape[1:]))
    for start in range(0, len(rows), 1024):
        kept[start : start + 1024] = whole[rows[start : start + 1024]]
    flush(kept)
    os.replace(shorter, path)


def save_statistics(folder: Path, statistics: Statistics) -> None:
    np.savez(
        folder / STATISTICS,
        count=statistics.count,
        sums=statistics.sums,
        squares=statistics.squares,
    )


def _publish(building: Path, cache: Path, key: str, manifest: dict[str, Any]) -> Entry:
    """Renames a finished folder to its key; if another builder was first, takes theirs."""
    final = cache / key
    for _ in range(3):
        with contextlib.suppress(OSError):
            os.rename(building, final)
            return Entry(final, manifest)
        other = find(cache, key)
        if other is not None:
            return other
        # What stands there is broken: put it aside, then try again.
        with (
            contextlib.suppress(OSError),
            tempfile.TemporaryDirectory(prefix=BUILDING, dir=cache) as aside,
        ):
            os.rename(final, Path(aside) / "broken")
    raise OSError(f"{final} cannot be replaced")


def _remove_abandoned(cache: Path) -> None:
    """Removes what killed builds left, once nothing in it has changed for a day."""
    oldest = time.time() - ABANDONED_SECONDS
    for folder in cache.glob(f"{BUILDING}*"):
        with contextlib.suppress(OSError):
            if max(path.stat().st_mtime for path in (folder, *folder.iterdir())) < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _unwritable(cache: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot write the cache {cache}: {error.strerror or error}; "
        "set ZOO_CACHE to a folder that can be written and has room"
    )
