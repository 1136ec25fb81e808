"""Lists what all shards hold, once: the lists are kept in the cache, one file for each shard.

A list depends on the shard's path, size and time, and on which members are wanted. Shards are read
in threads. A list is kept as soon as its shard is read, so a listing that was killed goes on where
it was. Light.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zoo.datasets.shards.problems import NO_SHARD
from zoo.datasets.shards.scan import Scan, Wanted, scan
from zoo.datasets.threads import as_results_arrive
from zoo.progress import Progress

FORMAT = 1  # Version of the lists.
FOLDER = "shards"  # In the cache.


class Shard:
    """What one shard holds.

    Args:
        name: relative to the root.
        size: of the file, in bytes.
        mtime_ns: time of its last change in nanoseconds.
        content: its images and labels.
    """

    __slots__ = ("content", "mtime_ns", "name", "size")

    def __init__(self, name: str, size: int, mtime_ns: int, content: Scan) -> None:
        self.name = name
        self.size = size
        self.mtime_ns = mtime_ns
        self.content = content


def read_shards(
    root: Path, names: Sequence[str], wanted: Wanted, cache_dir: Path, progress: Progress
) -> list[Shard]:
    """Lists the images and labels of shards.

    Args:
        root: folder of the shards.
        names: of the shards, relative to it.
        wanted: which members count.
        cache_dir: folder of the cache; if it cannot be written, nothing is kept.
        progress: called with (shards done, shards in all, what is being done).

    Returns:
        One for each name, in their order. What is wrong with a shard is in its list.
    """
    found: list[Shard | None] = [None] * len(names)
    done = 0
    jobs = [(number, root / name, name) for number, name in enumerate(names)]

    def read(number: int, file: Path, name: str) -> tuple[int, Shard]:
        return number, _read(file, name, wanted, cache_dir / FOLDER)

    with closing(as_results_arrive(read, jobs, "zoo-shards")) as results:
        for number, shard in results:
            found[number] = shard
            done += 1
            progress(done, len(names), "listing shards")
    return [shard for shard in found if shard is not None]


def _read(file: Path, name: str, wanted: Wanted, folder: Path) -> Shard:
    try:
        status = os.stat(file)
    except OSError:
        return Shard(name, 0, 0, scan(file, wanted))  # It says what is wrong.
    key = {
        "format": FORMAT,
        "file": str(file),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "wanted": asdict(wanted),
    }
    kept = folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.json"
    content = _load(kept)
    if content is None:
        content = scan(file, wanted)
        # A disk that failed may work the next time.
        if not any(kind == NO_SHARD for kind, _, _ in content.problems):
            with contextlib.suppress(OSError):
                _keep(kept, content)
    return Shard(name, status.st_size, status.st_mtime_ns, content)


def _load(kept: Path) -> Scan | None:
    """Reads a list; None if there is none or it is damaged."""
    try:
        digest, _, text = kept.read_bytes().partition(b"\n")
        if hashlib.sha256(text).hexdigest().encode() != digest:
            return None
        columns: dict[str, Any] = json.loads(text)
    except (OSError, ValueError):
        return None
    columns["problems"] = [tuple(problem) for problem in columns["problems"]]
    return Scan(**columns)


def _keep(kept: Path, content: Scan) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(vars(content), separators=(",", ":")).encode()
    temporary = kept.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    os.replace(temporary, kept)
