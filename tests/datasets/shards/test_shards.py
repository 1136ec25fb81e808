"""The `shards` source: the images and batches of the files that the shards were made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.conftest import make_recipe, whole
from tests.datasets.shards.tars import data_set, png, write
from zoo.batches import Batches
from zoo.datasets.load import load
from zoo.datasets.shards.shards import notes_on_windows
from zoo.datasets.splits import ArraySplit, Splits, encoded_images, pixel_statistics
from zoo.datasets.window_order import WindowOrder
from zoo.errors import DataError


def packed(pets: Path, count: int = 5) -> Path:
    """The images of folders in shards of `count` images, in the order of the folders."""
    root = pets.parent / "shards"
    for split in ("train", "test"):
        files = sorted((pets / split).rglob("*.png"))
        for start in range(0, len(files), count):
            members: list[tuple[str, bytes | str]] = []
            for file in files[start : start + count]:
                key = f"{file.parent.name}-{file.stem}"
                members += [(f"{key}.png", file.read_bytes()), (f"{key}.cls", file.parent.name)]
            write(root / f"{split}-{start // count}.tar", members)
    return root


def batches(splits: Splits) -> Iterator[tuple[list[int], bytes]]:
    made = Batches(splits.train, 4, 7)
    for step in range(2 * made.steps_per_pass):
        images, labels = made(step)
        yield labels.tolist(), images.tobytes()


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_shards_are_as_good_as_folders(pets: Path, loading: str) -> None:
    """Also the batches, to the bit, if all images are shuffled together."""
    by_folder = load(make_recipe({"folder": str(pets)}, loading=loading))
    source = {"shards": {"path": str(packed(pets)), "shuffle_window": "all"}}
    by_shards = load(make_recipe(source, loading=loading))
    assert by_shards.class_names == by_folder.class_names
    assert by_shards.train.streamed == (loading == "streamed")
    for split in ("train", "validation", "test"):
        one, other = getattr(by_folder, split), getattr(by_shards, split)
        assert (one.labels == other.labels).all()
        assert (whole(one) == whole(other)).all()
        indices = np.arange(len(one))[::-1]
        assert encoded_images(one, indices) == encoded_images(other, indices)
    assert (pixel_statistics(by_shards.train).sums == pixel_statistics(by_folder.train).sums).all()
    assert list(batches(by_shards)) == list(batches(by_folder))


def test_both_ways_of_loading_shuffle_alike(pets: Path) -> None:
    """Within windows, in folds, and with some of the classes."""
    root = packed(pets)
    made = {}
    for loading in ("resident", "streamed"):
        for more in ({}, {"fold": {"index": 1, "of": 2}}, {"classes": ["dog", "cat"]}):
            source = {"shards": {"path": str(root), "shuffle_window": 4}}
            splits = load(make_recipe(source, loading=loading, **more))
            assert splits.train.order is not None
            made[loading, str(more)] = list(batches(splits))
            assert made.setdefault(str(more), made[loading, str(more)]) == list(batches(splits))
    source["shards"]["shuffle_window"] = "all"
    assert list(batches(load(make_recipe(source)))) != made["{}"]


def test_the_fingerprint_holds_images_and_labels(tmp_path: Path) -> None:
    def fingerprint(folder: str, labels: str, **given: object) -> str:
        root = data_set(tmp_path / folder, {"train-0.tar": labels, "val-0.tar": "ab"})
        return load(make_recipe({"shards": {"path": str(root), **given}})).fingerprint

    first = fingerprint("a", "abab")
    assert fingerprint("elsewhere", "abab", shuffle_window=2) == first
    assert fingerprint("b", "abba") != first


def test_damaged_images_are_told_with_their_shard(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", {"train-0.tar": "abab", "val-0.tar": "ab"})
    members = [("1.png", png(50)[:-9]), ("1.cls", "a"), ("2.png", png(51)), ("2.cls", "b")]
    write(root / "train-1.tar", members)
    with pytest.raises(DataError, match="1 of 8 images cannot be used") as raised:
        load(make_recipe({"shards": str(root)}))
    assert str(raised.value.problems[0]).startswith(f"{root}/train-1.tar/1.png: cut short")
    splits = load(make_recipe({"shards": str(root)}, on_bad_image="skip"))
    assert len(splits.train) == 5
    assert any("left out train-1.tar/1.png" in note for note in splits.notes)


def test_a_shard_that_is_replaced_ends_a_streamed_training(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", {"train-0.tar": "abab", "val-0.tar": "ab"})
    splits = load(make_recipe({"shards": str(root)}, loading="streamed"))
    data_set(root, {"train-0.tar": "ababab"})
    with pytest.raises(DataError, match=r"train-0\.tar/0000\.png: its shard .* has changed"):
        splits.train.images(np.arange(2))


def test_shards_of_one_class_each_are_noted() -> None:
    labels = np.repeat(np.arange(10, dtype=np.int32), 100)
    mixed = np.tile(np.arange(10, dtype=np.int32), 100)
    order = WindowOrder(np.arange(0, 1000, 50), 1000, 200)
    for of, noted in ((labels, True), (mixed, False)):
        split = ArraySplit(np.zeros((1000, 1, 1, 1), np.uint8), of, order=order)
        assert bool(notes_on_windows(split)) == noted
    assert not notes_on_windows(ArraySplit(np.zeros((1000, 1, 1, 1), np.uint8), labels))
