"""What names of folders and files say."""

from __future__ import annotations

import pytest

from zoo.datasets.names import (
    is_junk,
    label_of,
    labels_in_names,
    require_usable,
    split_name,
)
from zoo.errors import DataError


@pytest.mark.parametrize(
    "name, split",
    [
        *((name, "train") for name in (
            "train", "Train", "TRAINING", "training_set", "trainset", "TrainSet", "train_data",
            "train-images", "Training Data", "images_train", "train2017", "traindata", "trn",
        )),
        *((name, "validation") for name in (
            "val", "valid", "Validation", "validation_set", "valset", "dev", "Dev_Set", "ValImages",
        )),
        *((name, "test") for name in (
            "test", "TESTING", "test_set", "testset", "test1", "eval", "Evaluation", "test_images",
            "tests", "02_test", "holdout_set",
        )),
    ],
)  # fmt: skip
def test_names_of_splits(name: str, split: str) -> None:
    found = split_name(name)
    assert found is not None
    assert (found.split, found.rest) == (split, ())


def test_names_that_speak_of_splits() -> None:
    assert split_name("seg_train") == split_name("train_seg")
    assert getattr(split_name("seg_train"), "rest", None) == ("seg",)
    assert getattr(split_name("train_test"), "split", "") is None
    words = ("trains", "contest", "naval", "oval", "devil", "strain", "medieval", "latest", "set")
    assert [word for word in words if split_name(word)] == []


def test_junk() -> None:
    for name in (
        "__MACOSX", "@eaDir", ".ipynb_checkpoints", ".git", "Thumbs.db", "THUMBS.DB", ".DS_Store",
        "lost+found", "$RECYCLE.BIN", "System Volume Information", "._cat.jpg", ".Trash-1000",
        "desktop.ini", "#recycle", "Icon\r",
    ):  # fmt: skip
        assert is_junk(name), name
    assert not any(map(is_junk, ("cat", "recycle", "thumbs.db.jpg", "git", "macosx")))


@pytest.mark.parametrize(
    "file, label",
    [
        ("cat.0.jpg", "cat"),
        ("american_bulldog_12.png", "american_bulldog"),
        ("cat (3).jpg", "cat"),
        ("3_00017.png", "3"),
        ("n01440764_10026.JPEG", "n01440764"),
        ("class1_5.png", "class1"),
        ("cat12", "cat"),
        ("0012.png", None),
        ("cat.jpg", None),
        ("- 7.jpg", None),
    ],
)
def test_labels_in_names(file: str, label: str | None) -> None:
    assert label_of(file, None) == label


def test_a_pattern_finds_labels() -> None:
    assert label_of("2020-cat-x.jpg", r"-(\w+)-") == "cat"
    assert label_of("dog7.jpg", "cat|dog") == "dog"
    assert label_of("bird.jpg", "cat|dog") is None
    assert label_of("cat/dog7.jpg", "cat|dog") == "dog"
    assert label_of("site3/cat/dog7.jpg", r"^[^/]+/(\w+)/") == "cat"


def test_names_that_are_labels_have_several_images_each() -> None:
    assert labels_in_names([f"{a}.{i}.jpg" for a in ("cat", "dog") for i in range(3)]) == {
        "cat": 3, "dog": 3,
    }  # fmt: skip
    assert labels_in_names([f"IMG_{i}.jpg" for i in range(9)]) is None
    assert labels_in_names([f"day{i}_{i}.jpg" for i in range(9)]) is None
    assert labels_in_names(["cat.0.jpg", "dog.0.jpg", "x.jpg"]) is None


@pytest.mark.parametrize(
    "names, message",
    [
        (["cat", "d\udcffg"], r"'d\\udcffg' is not UTF-8"),
        (["cat", "dog\nx"], r"'dog\\nx' has a line break"),
        (["cat", "dog\r"], "line break or another control"),
        (["cat", "dog\0"], "control"),
        (["cat", "dog\u2028"], "control"),
        (["cat", " "], "empty"),
        (["caf\u00e9", "cafe\u0301"], r"'caf\\xe9' and 'cafe\\u0301' look the same"),
        (["cat", "cat "], "look the same"),
    ],
)
def test_names_that_cannot_be_exported(names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        require_usable(names, "pets")
    assert "rename" in str(caught.value)


def test_names_that_can() -> None:
    require_usable(["cat", "Cat", "größe 猫", "a'b", "x" * 255, "[/red]", "می\u200cخواهم"], "pets")
