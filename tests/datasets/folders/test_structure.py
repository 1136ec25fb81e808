"""Which folders are splits: read from their names, said in a note, refused where it is unclear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.datasets.folders.test_layout import class_names, many, read, touch
from zoo.errors import DataError


def classes(*folders: str, names: str = "ab") -> list[str]:
    """Ten images in each class folder of each folder."""
    return [file for folder in folders for name in names for file in many(f"{folder}/{name}", 10)]


def splits_of(root: Path, **options: Any) -> dict[str, set[str]]:
    """{split: first folders of its files}, of splits that have a folder of their own."""
    layout = read(root, **options)
    assert layout.class_names == class_names(root, **options)
    return {
        split: {file.path.split("/")[0] for file in files} for split, files in layout.splits.items()
    }


@pytest.mark.parametrize(
    "train, validation, test",
    [
        ("training_set", None, "test_set"),
        ("trainset", None, "testset"),
        ("Train", "Validation", "Test"),
        ("TRAIN", "VAL", "TEST"),
        ("train", "valid", "test"),
        ("train", "dev", "eval"),
        ("training", None, "testing"),
        ("train_data", "val_data", "evaluation"),
        ("Training Data", "validation set", "Testing Data"),
        ("train_images", "val_images", None),
        ("train2017", "val2017", "test2017"),
        ("TrainImages", "ValImages", "TestImages"),
        ("seg_train", None, "seg_test"),
        ("animals-train", "animals-valid", "animals-test"),
    ],
)
def test_common_names(tmp_path: Path, train: str, validation: str | None, test: str | None) -> None:
    touch(tmp_path, *classes(*(name for name in (train, validation, test) if name)))
    found = splits_of(tmp_path)
    assert found["train"] == {train}
    assert found["validation"] == {validation or train}
    assert found.get("test", set()) == ({test} if test else set())
    (note,) = read(tmp_path).notes
    for folder, split in ((train, "train"), (validation, "validation"), (test, "test")):
        assert folder is None or f"{folder}/ as {split}" in note
    assert ("validation is taken from train" in note) == (validation is None)


@pytest.mark.parametrize(
    "folders, message",
    [
        (("train", "test", "eval"), "eval/, test/, which are names of one split, test"),
        (("train", "val", "dev"), "names of one split, validation"),
        (("TRAIN", "train"), "names of one split, train"),
        (("train", "old_test"), "old_test/ beside train/ may be a split"),
        (("train", "test_val"), "may be a split"),
        (("fold1", "fold2"), "all of fold1, fold2 hold the same folders, a, b"),
        (("fold1/images", "fold2/images"), "hold the same folders, a, b"),
        (("cat/train", "cat/test", "dog/train", "dog/test"), "put test, train outside"),
        (("dog_train", "cat_test"), "cat_test, dog_train would be classes"),
        (("validation", "test"), "has test/ but no train/"),
        (("a", "b", "Test"), "has Test/ but no train/"),
    ],
)
def test_what_is_unclear_is_refused(tmp_path: Path, folders: tuple[str, ...], message: str) -> None:
    touch(tmp_path, *classes(*folders))
    for look in (read, class_names):
        with pytest.raises(DataError, match=message) as caught:
            look(tmp_path)
        assert "data.source.folder." in str(caught.value)


@pytest.mark.parametrize(
    "names", [("training_set", "cat"), ("test_tube", "cat"), ("valset", "x"), ("dev", "ops")]
)
def test_classes_with_the_names_of_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *(file for name in names for file in many(name, 10)))
    with pytest.raises(DataError, match=r"data\.source\.folder\.train: \."):
        read(tmp_path)
    assert read(tmp_path, train=".").class_names == tuple(sorted(names))
    inside = touch(tmp_path / "in", *(f for name in names for f in many(f"train/{name}", 10)))
    with pytest.raises(DataError, match=r"data\.source\.folder\.train: train"):
        read(inside)
    assert read(inside, train="train").class_names == tuple(sorted(names))


def test_one_test_may_lack_classes(tmp_path: Path) -> None:
    touch(tmp_path, *classes("setA", names="abc"), *classes("setB"))
    with pytest.raises(DataError, match="setA, setB hold the same folders, a, b"):
        read(tmp_path)
    assert splits_of(tmp_path, train="setA", test="setB")["test"] == {"setB"}
    assert read(tmp_path, train=".").class_names == ("setA", "setB")


def test_train_among_other_classes(tmp_path: Path) -> None:
    touch(tmp_path, *many("train/steam", 10), *many("train/electric", 10), *many("bus", 10))
    with pytest.raises(DataError, match="may be the split, or a class beside bus"):
        read(tmp_path)
    assert read(tmp_path, train="train").class_names == ("electric", "steam")
    assert read(tmp_path, train=".").class_names == ("bus", "train")


def test_the_recipe_decides(tmp_path: Path) -> None:
    touch(tmp_path, *classes("train", "val", "test", "eval", "extra/deep"))
    assert splits_of(tmp_path, validation="eval", test="test")["validation"] == {"eval"}
    assert splits_of(tmp_path, test="eval")["test"] == {"eval"}
    found = splits_of(tmp_path, test=None)
    assert found == {"train": {"train"}, "validation": {"val"}}
    found = splits_of(tmp_path, validation=None, test="eval")
    assert found["validation"] == {"train"}
    found = splits_of(tmp_path, train="extra/deep", validation="val", test="test")
    assert found["train"] == {"extra"}
    assert "left out the folder test/, as the recipe says" in read(tmp_path, test=None).notes
    with pytest.raises(DataError, match=r"folder\.test: .* has no folder nosuch"):
        read(tmp_path, test="nosuch")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_splits_lie_in_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not inside the data set"):
        read(tmp_path, train=name)


def test_class_folders_beside_a_test(tmp_path: Path) -> None:
    touch(tmp_path, *many("a", 10), *many("b", 10), *classes("test"))
    assert splits_of(tmp_path, test="test") == {
        "train": {"a", "b"}, "validation": {"a", "b"}, "test": {"test"},
    }  # fmt: skip
    assert splits_of(tmp_path, test=None).keys() == {"train", "validation"}


@pytest.mark.parametrize("wrapper", ["archive", "x/archive", "asl_train/asl_train"])
def test_wrappers_are_stepped_through(tmp_path: Path, wrapper: str) -> None:
    touch(tmp_path, *classes(wrapper), "__MACOSX/x/y/z", "readme.txt", "@eaDir/x/y")
    assert read(tmp_path).class_names == ("a", "b")
    notes = read(tmp_path).notes
    assert notes[0].startswith(f"stepped into {wrapper}/, the only folder in ")
    assert "readme.txt" in notes[1]
    other = touch(tmp_path / "other", *classes(f"{wrapper}/train", f"{wrapper}/test"))
    assert read(other).class_names == ("a", "b")
    assert read(other).test is not None
    explicit = read(other, train="train", test=None)
    assert explicit.test is None


def test_wrappers_in_splits(tmp_path: Path) -> None:
    touch(tmp_path, *classes("train/train", "test/images"))
    assert len(read(tmp_path).test or ()) == 20
    assert read(tmp_path).class_names == ("a", "b")
    touch(tmp_path, *(f"{name}/{name}/0.jpg" for name in ("val",)))
    with pytest.raises(DataError, match=r"validation has class that train lacks: val.*: none"):
        read(tmp_path)


def test_one_class_is_no_wrapper(tmp_path: Path) -> None:
    touch(tmp_path, *many("pets/cat", 5))
    with pytest.raises(DataError, match="only one class, cat"):
        read(tmp_path / "pets")


def test_images_without_labels_are_left_out_by_a_word(tmp_path: Path) -> None:
    touch(tmp_path, *classes("train"), *many("test1", 5))
    with pytest.raises(DataError, match=r"5 images directly in it.*data\.source\.folder\.test: no"):
        read(tmp_path)
    assert read(tmp_path, test=None).test is None
    touch(tmp_path / "deep", *classes("train"), *many("test/unknown", 5))
    with pytest.raises(DataError, match=r"data\.source\.folder\.test: none"):
        read(tmp_path / "deep")


def test_labels_in_names_of_files(tmp_path: Path) -> None:
    touch(tmp_path, *(f"train/{name}.{i}.jpg" for name in ("cat", "dog") for i in range(20)))
    touch(tmp_path, *many("test1", 5))
    with pytest.raises(DataError, match=r"begin with cat, dog.*folder\.labels_from: filename"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"5 of 5 images hold no label.*folder\.test: none"):
        read(tmp_path, labels_from="filename")
    layout = read(tmp_path, labels_from="filename", test=None)
    assert layout.class_names == ("cat", "dog")
    assert class_names(tmp_path, labels_from="filename", test=None) == ("cat", "dog")
    assert all(layout.class_names[file.label] in file.path for file in layout.train)
    assert (len(layout.train), len(layout.validation), layout.test) == (36, 4, None)
    alone = read(tmp_path / "train", labels_from="filename")
    assert (len(alone.train), len(alone.test or ())) == (32, 4)


def test_labels_by_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, *(f"x/{i}-{name}-y.jpg" for name in ("cat", "dog") for i in range(20)))
    pattern = r"-(\w+)-"
    layout = read(tmp_path, labels_from="filename", label_pattern=pattern)
    assert layout.class_names == ("cat", "dog")
    touch(tmp_path, "x/other.jpg")
    with pytest.raises(DataError, match="1 of 41 images hold no label.*x/other.jpg"):
        read(tmp_path, labels_from="filename", label_pattern=pattern)
    for wrong in ("(", "*"):
        with pytest.raises(ValueError, match="not a regular expression"):
            read(tmp_path, labels_from="filename", label_pattern=wrong)
    with pytest.raises(ValueError, match="set labels_from: filename"):
        read(tmp_path, label_pattern=pattern)


def test_names_that_no_export_holds_are_refused_at_once(tmp_path: Path) -> None:
    for name in ("cat", "do\ng"):
        touch(tmp_path, *many(f"pets/{name}", 10))
    for look in (read, class_names):
        with pytest.raises(DataError, match=r"'do\\ng' has a line break"):
            look(tmp_path / "pets")


def test_classes_that_differ_in_case_alone_are_noted(tmp_path: Path) -> None:
    touch(tmp_path, *classes("train", names=("Cat", "cat", "dog")))  # type: ignore[arg-type]
    (note,) = read(tmp_path).notes
    assert note == "classes whose names differ in case alone, which may be a slip: Cat, cat"


def test_a_class_in_another_unicode_form_is_the_same(tmp_path: Path) -> None:
    touch(tmp_path, *classes("train", names=("caf\u00e9", "bar")))  # type: ignore[arg-type]
    touch(tmp_path, *classes("test", names=("cafe\u0301", "bar")))  # type: ignore[arg-type]
    layout = read(tmp_path)
    assert layout.class_names == ("bar", "caf\u00e9")
    assert [file.label for file in layout.test or ()] == [0] * 10 + [1] * 10


def test_labels_in_paths(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 1)):
        for site, name in (("a", "cat"), ("a", "dog"), ("b", "cat")):
            touch(tmp_path, *many(f"{split}/site_{site}/{name}", count))
    layout = read(tmp_path, labels_from="filename", label_pattern=r"^site_\w+/(\w+)/")
    assert layout.class_names == ("cat", "dog")
    assert all(layout.class_names[file.label] in file.path for file in layout.train)
    assert [len(files) for files in layout.splits.values()] == [11, 1, 3]
