"""Reads single images out of shards, from any thread."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.datasets.shards.tars import data_set, png, read
from zoo.datasets.files import BadImage
from zoo.datasets.shards import store as module
from zoo.datasets.shards.store import ShardStore


@pytest.fixture
def shards(tmp_path: Path) -> tuple[Path, ShardStore]:
    root = data_set(tmp_path / "d", {f"in/{n}.tar": "abab" for n in range(5)})
    layout = read(root)
    assert isinstance(layout.shards, ShardStore)
    return root, layout.shards


def path(number: int) -> str:
    return f"in/{number // 4}.tar/{number:04}.png"


def test_any_image_in_any_order(
    shards: tuple[Path, ShardStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two files open at most; copies in other processes open their own."""
    monkeypatch.setattr(module, "OPEN_FILES", 2)
    store = pickle.loads(pickle.dumps(shards[1]))
    numbers = [n * 7 % 20 for n in range(60)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: store.read(path(n), 50), numbers))
    assert found == [png(n) for n in numbers]
    assert len(store._open._files) == 2
    with pytest.raises(KeyError):
        store.read("in/0.tar/none.png")


def test_where_shards_start(shards: tuple[Path, ShardStore]) -> None:
    paths = [path(n) for n in (0, 3, 4, 12, 13, 19)]
    assert shards[1].starts(paths) == [0, 2, 3, 5]
    assert shards[1].starts([]) == []


@pytest.mark.parametrize("change", ["touched", "cut", "removed"])
def test_a_shard_that_changed(shards: tuple[Path, ShardStore], change: str) -> None:
    """Whether it is open already or not."""
    root, store = shards
    store.read(path(0))
    for number in (0, 4):
        file = root / f"in/{number // 4}.tar"
        if change == "touched":
            os.utime(file, (1, 1))
        elif change == "cut":
            os.truncate(file, 700)
        else:
            file.unlink()
            if number == 0:
                continue  # It is still open.
        with pytest.raises(BadImage, match="its shard .*"):
            store.read(path(number))


def test_images_too_large(shards: tuple[Path, ShardStore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "file_limit", lambda _: 100)
    with pytest.raises(BadImage, match=r"data\.max_megapixels"):
        shards[1].read(path(0), 50)
    assert shards[1].read(path(0)) == png(0)
