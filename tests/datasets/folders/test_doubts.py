"""Folders that would be classes and look like something else are refused or noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.datasets.folders.test_layout import class_names, many, read, touch
from tests.datasets.folders.test_structure import classes
from zoo.datasets.names import guessed_split
from zoo.errors import DataError


@pytest.mark.parametrize(
    "folders, advice",
    [
        (
            ("Testdaten", "Trainingsdaten", "Validierung"),
            r"\.train: Trainingsdaten, data\.source\.folder\.validation: Validierung, "
            r"data\.source\.folder\.test: Testdaten",
        ),
        (
            ("entrenamiento", "prueba"),
            r"\.train: entrenamiento, data\.source\.folder\.test: prueba",
        ),
        (("测试集", "训练集"), r"\.train: 训练集, data\.source\.folder\.test: 测试集"),
        (
            ("entrainement", "essai", "validation"),
            r"if entrainement/ is train, say so: .*\.train: e",
        ),
        (("essai", "validation"), r"if essai/ is train, say so"),
    ],
)
def test_splits_in_other_languages(tmp_path: Path, folders: tuple[str, ...], advice: str) -> None:
    touch(tmp_path, *classes(*folders))
    with pytest.raises(DataError, match=advice):
        read(tmp_path)


def test_of_unknown_names_the_largest_is_train(tmp_path: Path) -> None:
    touch(tmp_path, *classes("a1"), *(f for name in "ab" for f in many(f"b1/{name}", 30)))
    with pytest.raises(DataError, match=r"\.train: b1, data\.source\.folder\.test: a1"):
        read(tmp_path)


def test_a_guess_needs_a_beginning() -> None:
    assert guessed_split("01_Обучение") == "train"
    assert guessed_split("my trainings") is None


@pytest.mark.parametrize(
    "folders, named",
    [
        (("cat/train", "cat/test", "dog"), "cat/test, cat/train would all count for the class cat"),
        (("cat/train", "cat/test", "dog/train", "dog/val"), "the names speak of splits"),
        (("train/cat", "train/dog/Validation", "test/cat"), "train/dog/Validation would all count"),
    ],
)
def test_splits_within_classes(tmp_path: Path, folders: tuple[str, ...], named: str) -> None:
    touch(tmp_path, *(file for folder in folders for file in many(folder, 10)))
    with pytest.raises(DataError, match=named):
        read(tmp_path)
    train = "train" if folders[0].startswith("train/") else "."
    assert read(tmp_path, train=train).class_names == ("cat", "dog")


def test_several_folders_within_a_class_are_noted(tmp_path: Path) -> None:
    inside = ("animals/cat", "animals/dog", "things/ship")
    touch(tmp_path, *(file for folder in inside for file in many(folder, 10)))
    layout = read(tmp_path)
    assert layout.class_names == ("animals", "things")
    (note,) = layout.notes
    assert "count for these classes: animals/cat, animals/dog; if each is of one" in note


@pytest.mark.parametrize(
    "names",
    [("images", "masks"), ("JPEGImages", "Annotations"), ("img", "GT"), ("images", "labels")],
)
def test_images_beside_their_masks(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *(file for name in names for file in many(name, 10)))
    with pytest.raises(DataError, match="masks, boxes or labels"):
        read(tmp_path)
    with pytest.raises(DataError, match="masks, boxes or labels"):
        class_names(tmp_path)
    assert read(tmp_path, train=".").class_names == tuple(sorted(names))


@pytest.mark.parametrize(
    "files, message",
    [
        (["train.zip", "test.tar.gz"], r"no image but archives \(test.tar.gz, train.zip\): unpack"),
        (["a.tar"], r"archives \(a.tar\): unpack them; or, .* data.source: {shards: FOLDER}"),
        (["x.npz"], "no image, only x.npz"),
        (["batches/data_1"], "one folder, batches, with no image in it, only data_1"),
        (["train/CAT/0.jpg", "train/dog/0.jpg", "test/cat/0.jpg"], "also in upper and lower case"),
    ],
)
def test_what_is_there_is_told(tmp_path: Path, files: list[str], message: str) -> None:
    touch(tmp_path, *files)
    with pytest.raises(DataError, match=message):
        read(tmp_path)
