"""Which shards are which split: by patterns, or by their names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from zoo.datasets.shards.find import Found, find
from zoo.errors import DataError
from zoo.recipe.shards_source import Shards


def touch(root: Path, names: Iterable[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(root: Path, **given: object) -> Found:
    return find(Shards.model_validate({"path": str(root), **given}))


def error(root: Path, **given: object) -> str:
    with pytest.raises(DataError) as raised:
        found(root, **given)
    return str(raised.value)


@pytest.mark.parametrize(
    "train, other",
    [
        ("train-000000.tar", "val-000000.tar"),
        ("cifar10-train-0.tar", "cifar10-validation-0.tar"),
        ("train/00000.tar", "val/00000.tar"),
        ("imagenet1k-train-0000.tar", "imagenet1k-dev-00.tar"),
    ],
)
def test_names_say_the_split(tmp_path: Path, train: str, other: str) -> None:
    root = touch(tmp_path, [other, train, "classnames.txt", "._train-1.tar"])
    of = found(root)
    assert of.splits == {"train": (train,), "validation": (other,)}
    assert of.named
    assert not of.notes
    assert found(root, validation=None).splits == {"train": (train,)}


def test_shards_without_a_split_are_train(tmp_path: Path) -> None:
    of = found(touch(tmp_path, ["00001.tar", "00000.tar"]))
    assert (of.splits, of.named) == ({"train": ("00000.tar", "00001.tar")}, False)


def test_patterns(tmp_path: Path) -> None:
    root = touch(tmp_path, [f"{n:02}.tar" for n in range(12)])
    of = found(root, train="{00..07}.tar", validation=["08.tar", "09.tar"], test="1*.tar")
    assert [len(names) for names in of.splits.values()] == [8, 2, 2]
    assert of.splits["test"] == ("10.tar", "11.tar")
    assert found(root, train="0*.tar").splits.keys() == {"train"}
    # What is left is train.
    assert len(found(root, test="1[01].tar").splits["train"]) == 10


def test_all_missing_shards_are_told(tmp_path: Path) -> None:
    root = touch(tmp_path, [f"a-{n}.tar" for n in (0, 2)])
    text = error(root, train="a-{0..3}.tar", test=["b-*.tar"])
    for name in ("a-1.tar", "a-3.tar"):
        place = "(data.source.shards.train: a-{0..3}.tar)"
        assert f"{root}/{name}: does not exist {place}" in text
    assert "b-*.tar: no file has such a name" in text
    assert "3 shards that cannot be read" in text


def test_gaps_are_noted(tmp_path: Path) -> None:
    root = touch(tmp_path, [f"train-{n:03}.tar" for n in (0, 1, 2, 4, 5)])
    (note,) = found(root).notes
    assert note.endswith("shards may be missing: train-3.tar")


@pytest.mark.parametrize(
    "names, given, part",
    [
        (["train-0.tar", "more.tar"], {}, "which split are more.tar?"),
        (["val-0.tar"], {}, "no shard of the training images"),
        (["a.tar.gz"], {}, "compressed tar files, a.tar.gz"),
        (["a.txt"], {}, "no file that ends in .tar"),
        (["a.tar"], {"train": "a.tar", "test": "*.tar"}, "is named for train and for test"),
    ],
)
def test_doubts(tmp_path: Path, names: list[str], given: dict[str, str], part: str) -> None:
    assert part in error(touch(tmp_path, names), **given)


def test_a_link_to_a_shard_is_the_same_shard(tmp_path: Path) -> None:
    touch(tmp_path, ["a-0.tar"])
    os.symlink("a-0.tar", tmp_path / "a-1.tar")
    assert "is the same file as a-0.tar" in error(tmp_path)


def test_wrong_folders(tmp_path: Path) -> None:
    file = touch(tmp_path, ["a.tar"]) / "a.tar"
    assert "is a file. Expected the folder" in error(file)
    assert "and data.source.shards.train the pattern" in error(tmp_path / "a-{0..3}.tar")
    assert "does not exist; check it" in error(tmp_path / "none")


def test_gaps_between_any_numbers(tmp_path: Path) -> None:
    names = ["train-1.tar", f"train-{10**40}.tar"]
    assert found(touch(tmp_path, names)).notes == ()


def test_a_shard_that_cannot_be_there_is_not_left_out(tmp_path: Path) -> None:
    """Broken links and pipes are listed as shards; reading them reports what is wrong."""
    touch(tmp_path, ["train-0.tar", "val/0.tar"])
    (tmp_path / "train-1.tar").symlink_to("gone.tar")
    (tmp_path / "train-2.tar").symlink_to("train-2.tar")
    os.mkfifo(tmp_path / "val" / "1.tar")
    assert found(tmp_path).splits == {
        "train": ("train-0.tar", "train-1.tar", "train-2.tar"),
        "validation": ("val/0.tar", "val/1.tar"),
    }
