"""The cache is listed, and emptied of what no process uses."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets import build_lock, cache
from zoo.inventory import caches

KEYS = [f"{number:032x}" for number in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache with an entry of each kind, and what is not zoo's."""
    for name in (
        f"{KEYS[0]}/manifest.json", f"{KEYS[0]}/train.npy", f"{KEYS[1]}/notes.txt",
        f"{build_lock.folder_of(Path(), KEYS[2])}/train.npy", f"verified/{KEYS[0]}.jsonl",
        f"verified/{KEYS[0]}.npz", "verified/mine.txt", f"shards/{KEYS[3]}.json",
        "jax/jit_add-0a1b-cache", "jax/README", "holiday/1.jpg",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / KEYS[3]).symlink_to(tmp_path / "holiday")
    return tmp_path


def test_what_is_listed_and_removed(folder: Path) -> None:
    items = caches.cache_items(folder)
    rows = {row["kind"]: (row["entries"], row["bytes"]) for row in caches.summary(items)}
    assert rows == {
        caches.IMAGES: (1, 10), caches.UNFINISHED: (1, 5), caches.VERIFIED: (1, 10),
        caches.SHARDS: (1, 5), caches.COMPILED: (1, 5),
    }  # fmt: skip
    assert all(caches.remove_item(item) for item in items)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [f"{KEYS[1]}/notes.txt", "holiday/1.jpg", "jax/README", "verified/mine.txt"]
    assert caches.cache_items(folder) == []


def test_what_another_host_builds_stays(tmp_path: Path) -> None:
    """Its lock is not seen here; after a day without a new file nobody builds it any more."""
    building = tmp_path / f".building-{KEYS[0]}-host"
    building.mkdir()
    (building / "train.npy").touch()
    (item,) = caches.cache_items(tmp_path)
    assert item.in_use
    assert not caches.remove_item(item)
    for path in (building, building / "train.npy"):
        os.utime(path, (1e9, 1e9))
    (item,) = caches.cache_items(tmp_path)
    assert caches.remove_item(item)


def test_no_cache(tmp_path: Path) -> None:
    assert caches.cache_items(tmp_path / "nowhere") == []


def test_a_folder_of_compiled_functions_that_others_may_write_to(folder: Path) -> None:
    os.chmod(folder / "jax", 0o777)
    assert caches.COMPILED not in {item.kind for item in caches.cache_items(folder)}


def entry(folder: Path) -> cache.Entry:
    """An entry that this process built."""

    def fill(inside: Path) -> dict[str, object]:
        np.save(inside / "train.npy", np.zeros((3, 1, 1, 1), np.uint8))
        return {"splits": {"train": {"labels": [0, 1, 2]}}}

    return cache.obtain(folder, KEYS[0], fill, 0)


def let_go(folder: Path) -> None:
    """As the end of a process does."""
    os.close(build_lock._shared.pop(str(folder)))


def test_what_a_process_uses_stays(tmp_path: Path) -> None:
    """Also a process that found the entry, in place of building it."""
    for _ in ("built", "found"):
        made = entry(tmp_path)
        (item,) = caches.cache_items(tmp_path)
        assert item.in_use
        assert not caches.remove_item(item)
        assert len(made.array_split("train")) == 3
        let_go(made.folder)
        assert not item.in_use
    assert caches.remove_item(item)
    assert cache.find(tmp_path, KEYS[0]) is None
    assert len(entry(tmp_path).labels("train")) == 3  # It is built again.


def test_few_locks_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is an open file."""
    monkeypatch.setattr(build_lock, "MAX_SHARED", 2)
    monkeypatch.setattr(build_lock, "_shared", {})
    for name in "abca":
        (tmp_path / name).mkdir(exist_ok=True)
        assert build_lock.share(tmp_path / name)
    assert [Path(path).name for path in build_lock._shared] == ["c", "a"]
    for handle in build_lock._shared.values():
        os.close(handle)


def test_records_that_a_process_writes_stay(folder: Path) -> None:
    (item,) = (item for item in caches.cache_items(folder) if item.kind == caches.VERIFIED)
    with caches._locked(item.lock) as is_free:
        assert is_free
        assert item.in_use
        assert not caches.remove_item(item)
    assert caches.remove_item(item)
