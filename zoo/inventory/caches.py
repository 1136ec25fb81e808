"""What zoo keeps in its cache, and the removal of what no process uses. Light.

All of it can be made again. Only names that zoo gives are touched, so that a cache folder may hold
other things (`ZOO_CACHE`).
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from zoo.backend.cache_folder import cache_folder
from zoo.backend.compilation_cache import is_private
from zoo.datasets.build_lock import BUILDING, folder_of
from zoo.files.folder_size import folder_size

IMAGES = "decoded images, and what was measured of them"
UNFINISHED = "decoding that was interrupted"
VERIFIED = "records of verified files"
SHARDS = "lists of what shards hold"
COMPILED = "functions that JAX compiled"
TRASH = f"{BUILDING}removed-"
KEY_LENGTH = 32
BUILD_SECONDS = 86_400  # Another host writes no file of an entry for so long: it ended.
_KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
_ENTRY_FILES = ("*.npy", "*.npz", "manifest.json", "unfinished", "*.kept")


@dataclass(frozen=True)
class CacheItem:
    """An entry of the cache.

    Attributes:
        kind: what it is: one of the sentences above.
        paths: its folder, or its files.
        bytes: their size.
        lock: the path whose lock says that a process uses it; None: nobody reads it twice.
        elsewhere: whether another host may be writing it, whose locks are not seen here.
    """

    kind: str
    paths: tuple[Path, ...]
    bytes: int
    lock: Path | None
    elsewhere: bool = False

    @property
    def in_use(self) -> bool:
        """Whether a process uses it now."""
        if self.elsewhere:
            return True
        with _locked(self.lock) as is_free:
            return not is_free


def cache_items(cache: Path | None = None) -> list[CacheItem]:
    """List what zoo keeps in its cache, and nothing else that may lie there.

    Args:
        cache: folder of the cache; None: the user's.
    """
    cache = cache_folder() if cache is None else cache
    items: list[CacheItem] = []
    for entry in _entries(cache):
        path = Path(entry.path)
        if not entry.is_dir(follow_symlinks=False):
            continue
        if _KEY.fullmatch(entry.name) and _has_only(path, _ENTRY_FILES):
            items.append(CacheItem(IMAGES, (path,), folder_size(path), path))
        elif entry.name.startswith(BUILDING) and _has_only(path, (*_ENTRY_FILES, "broken")):
            elsewhere = _is_built_elsewhere(path)
            items.append(CacheItem(UNFINISHED, (path,), folder_size(path), path, elsewhere))
        elif entry.name == "verified":
            items += _files(VERIFIED, path, (".jsonl", ".npz", ".new", ".images"), locked=True)
        elif entry.name == "shards":
            items += _files(SHARDS, path, (".json",), locked=False)
        elif entry.name == "jax" and is_private(path):
            files = [Path(each.path) for each in _entries(path) if _is_compiled(each)]
            size = sum(file.lstat().st_size for file in files)
            items += [CacheItem(COMPILED, tuple(files), size, None)] if files else []
    return items


def _is_built_elsewhere(path: Path) -> bool:
    """Whether another host builds an entry in a folder, as far as its name and its age say."""
    key = path.name.removeprefix(BUILDING)[:KEY_LENGTH]
    if path.name.startswith(TRASH) or path == folder_of(path.parent, key):
        return False
    try:
        newest = max(file.stat().st_mtime for file in (path, *path.iterdir()))
    except OSError:
        return False
    return time.time() - newest < BUILD_SECONDS


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as scan:
            return sorted(scan, key=lambda entry: entry.name)
    except OSError:
        return []


def _has_only(folder: Path, patterns: Iterable[str]) -> bool:
    """Whether a folder holds files of these names alone."""
    return all(
        any(fnmatchcase(entry.name, pattern) for pattern in patterns)
        and (entry.is_file(follow_symlinks=False) or entry.name == "broken")
        for entry in _entries(folder)
    )


def _is_compiled(entry: os.DirEntry[str]) -> bool:
    name = fnmatchcase(entry.name, "*-[0-9a-f]*-cache") or entry.name.endswith("-atime")
    return name and entry.is_file(follow_symlinks=False)


def _files(kind: str, folder: Path, suffixes: tuple[str, ...], *, locked: bool) -> list[CacheItem]:
    """The files of a folder, those of one key together."""
    groups: dict[str, list[os.DirEntry[str]]] = {}
    for entry in _entries(folder):
        stem, suffix = os.path.splitext(entry.name)
        if _KEY.fullmatch(stem) and suffix in suffixes and entry.is_file(follow_symlinks=False):
            groups.setdefault(stem, []).append(entry)
    return [
        CacheItem(
            kind,
            tuple(Path(entry.path) for entry in entries),
            sum(entry.stat(follow_symlinks=False).st_size for entry in entries),
            folder / f"{stem}.jsonl" if locked else None,
        )
        for stem, entries in groups.items()
    ]


def remove_item(item: CacheItem) -> bool:
    """Remove an entry of the cache unless a process uses it; return whether it is gone.

    Raises:
        OSError: the disk does not let it go.
    """
    if item.elsewhere:
        return False
    with _locked(item.lock) as is_free:
        if not is_free:
            return False
        for path in item.paths:
            with suppress(FileNotFoundError):
                if path.is_dir() and not path.is_symlink():
                    hidden = path
                    if not path.name.startswith(BUILDING):
                        # Whoever finds a part of an entry would take it for a damaged one.
                        hidden = path.with_name(f"{TRASH}{path.name}-{secrets.token_hex(4)}")
                        path.rename(hidden)
                    shutil.rmtree(hidden)
                else:
                    path.unlink()
        return True


@contextmanager
def _locked(path: Path | None) -> Iterator[bool]:
    """Lock a file or folder if nobody holds it; yield whether it was free. None is always free."""
    if path is None:
        yield True
        return
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # Held, or a disk without locks, where nobody can tell.
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def summary(items: Iterable[CacheItem]) -> list[dict[str, Any]]:
    """How many entries of each kind there are, their bytes, and how many are in use.

    Args:
        items: of `cache_items`.
    """
    kinds: dict[str, dict[str, Any]] = {}
    for item in items:
        row = kinds.setdefault(
            item.kind, {"kind": item.kind, "entries": 0, "bytes": 0, "in_use": 0}
        )
        row["entries"] += len(item.paths) if item.kind == COMPILED else 1
        row["bytes"] += item.bytes
        row["in_use"] += item.in_use
    return list(kinds.values())
