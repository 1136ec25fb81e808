"""The folders: sizes, and whether they can be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.doctor import folders
from zoo.files.folder_size import folder_size


def test_sizes_and_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compilation cache lies in the data cache, and is counted once."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    for name, size in (("entry/train.npy", 100), ("jax/one-cache", 7), ("jax/sub/two", 5)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "entry/link").symlink_to(tmp_path / "entry/train.npy")
    data, jax, runs = folders.describe(tmp_path / "not" / "yet")
    assert (data["name"], data["bytes"], data["path"]) == ("data", 100, str(tmp_path))
    assert (jax["name"], jax["bytes"], jax["path"]) == ("jax", 12, str(tmp_path / "jax"))
    assert (runs["name"], runs["bytes"]) == ("runs", None)
    assert all(entry["writable"] and entry["free"] > 0 for entry in (data, jax, runs))


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not folders.describe(tmp_path / "file" / "runs")[2]["writable"]


def test_no_folder() -> None:
    assert folder_size(Path("/no/such/folder")) == 0
