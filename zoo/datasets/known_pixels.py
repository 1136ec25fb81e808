"""Copies decoded images out of an older entry of the cache, for files that were verified before.

An image depends on the content of its file and the way of decoding alone, so a file is found by its
hash, wherever it lies now.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.datasets import cache, stored_files
from zoo.datasets.build_lock import BUILDING
from zoo.datasets.cache import Entry
from zoo.datasets.verify import Pixels

KEY_LETTERS = 32
ROWS = 1024  # Images that are copied at once.


def remember(file: Path, entry_dir: Path) -> None:
    """Notes, beside the record of what was verified, which entry holds the images.

    Args:
        file: the note.
        entry_dir: folder in which the entry is built.
    """
    file.write_text(entry_dir.name.removeprefix(BUILDING)[:KEY_LETTERS], encoding="ascii")


def copy(
    file: Path, cache_dir: Path, hashes: Mapping[str, np.ndarray], pixels: Mapping[str, Pixels]
) -> None:
    """Copies the images of known files.

    Args:
        file: what `remember` wrote.
        cache_dir: folder of the cache.
        hashes: {split: uint8 (n, 32), SHA-256 of each file; zeros for files that are not known}.
        pixels: {split: where its images go}.
    """
    try:
        entry = cache.find(cache_dir, file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    if entry is None:
        return
    for split in entry.manifest["splits"]:
        if f"{split}.npy" in entry.manifest["sizes"]:
            for name, of in pixels.items():
                _copy_split(entry, split, hashes[name], of)


def _copy_split(entry: Entry, split: str, wanted: np.ndarray, pixels: Pixels) -> None:
    old = np.load(entry.folder / f"{split}.npy", mmap_mode="r")
    known = stored_files.read(entry.folder, split, entry.manifest["splits"][split]).sha256
    if old.shape[1:] != pixels.array.shape[1:] or not len(known):
        return
    starts = np.ascontiguousarray(known[:, :8]).view("<u8")[:, 0]
    order = np.argsort(starts, kind="stable")
    asked = np.ascontiguousarray(wanted[:, :8]).view("<u8")[:, 0]
    places = np.minimum(np.searchsorted(starts[order], asked), len(order) - 1)
    rows = order[places]
    for first in range(0, len(wanted), ROWS):
        part = slice(first, first + ROWS)
        same = (known[rows[part]] == wanted[part]).all(axis=1)
        same &= wanted[part].any(axis=1) & ~pixels.present[part]
        new = first + np.flatnonzero(same)
        pixels.array[new] = old[rows[new]]
        pixels.present[new] = True
