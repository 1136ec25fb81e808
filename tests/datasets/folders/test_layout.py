"""Folder layouts: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.datasets.folders import layout as layouts
from zoo.datasets.image_files import Layout
from zoo.errors import DataError
from zoo.recipe.source import Folder


def read(root: Path, **options: Any) -> Layout:
    return layouts.read(Folder.model_validate({"path": str(root), **options}))


def class_names(root: Path, **options: Any) -> tuple[str, ...]:
    return layouts.class_names(Folder.model_validate({"path": str(root), **options}))


def touch(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"x")
    return root


def many(folder: str, count: int) -> list[str]:
    return [f"{folder}/{number}.jpg" for number in range(count)]


def paths(layout: Layout, split: str) -> list[str]:
    return [file.path for file in layout.splits[split]]


def test_three_folders(tmp_path: Path) -> None:
    touch(tmp_path, *many("train/a", 2), *many("train/b", 1), "val/a/x.png", "val/b/y.PNG")
    touch(tmp_path, "test/a/deep/er/z.webp", "test/b/z.tiff")
    layout = read(tmp_path)
    assert layout.class_names == ("a", "b") == class_names(tmp_path)
    assert paths(layout, "train") == ["train/a/0.jpg", "train/a/1.jpg", "train/b/0.jpg"]
    assert paths(layout, "validation") == ["val/a/x.png", "val/b/y.PNG"]
    assert paths(layout, "test") == ["test/a/deep/er/z.webp", "test/b/z.tiff"]
    assert [file.label for file in layout.train] == [0, 0, 1]
    assert layout.train[0].size == 1
    assert layout.notes == ("read train/ as train, val/ as validation, test/ as test",)


def test_flat(tmp_path: Path) -> None:
    touch(tmp_path, *many("a", 100), *many("b", 10))
    layout = read(tmp_path)
    assert [len(layout.splits[name]) for name in ("train", "validation", "test")] == [89, 10, 11]
    everything = sorted(sum((paths(layout, name) for name in layout.splits), []))
    assert everything == sorted(many("a", 100) + many("b", 10))
    assert read(tmp_path) == layout
    assert read(tmp_path, split_seed=1) != layout


def test_train_alone_has_no_test(tmp_path: Path) -> None:
    touch(tmp_path, *many("train/a", 20), *many("train/b", 20))
    assert read(tmp_path).test is None
    assert len(read(tmp_path).validation) == 4
    assert len(read(tmp_path, test_split=0.25).test or ()) == 10
    assert len(read(tmp_path, validation_split=0.5).validation) == 20


def test_what_is_ignored_is_noted(tmp_path: Path) -> None:
    touch(tmp_path, *many("train/a", 20), *many("train/b", 20), "train/a/._0.jpg", ".git/x.jpg")
    touch(tmp_path, "train/a/notes.txt", "train/Thumbs.db", "README", "extra/c/x.jpg")
    touch(tmp_path, "train/.ipynb_checkpoints/x.jpg")
    notes = read(tmp_path).notes
    assert notes == (
        "ignored the folder extra/ beside train/: not a split",
        "ignored 2 files that no image reader is for: README, train/a/notes.txt",
    )


def test_small_and_missing_classes_are_noted(tmp_path: Path) -> None:
    touch(tmp_path, *many("train/a", 20), *many("train/b", 1), "test/a/0.jpg")
    assert read(tmp_path).notes == (
        "too few images to give one to validation, class: b",
        "no image in test of: b",
    )


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    touch(tmp_path, *many("train", 20), *many("bus", 20))
    assert read(tmp_path).class_names == ("bus", "train") == class_names(tmp_path)


@pytest.mark.parametrize(
    "files, message",
    [
        ([], "has no class folders"),
        (["0.jpg", "1.jpg"], "2 images directly in it"),
        (["train/0.jpg"], "train has no class folders"),
        (["a/0.jpg"], "only one class, a"),
        (["train/a/0.jpg", "train/b/0.txt"], "no image in the training class b"),
        (["train/a/0.jpg", "train/b/0.jpg", "test/c/0.jpg"], "test has class that train lacks: c"),
        (
            ["train/a/0.jpg", "train/b/0.jpg", "val/a/0.jpg", "validation/a/0.jpg"],
            "names of one split, validation",
        ),
        (["test/a/0.jpg", "test/b/0.jpg"], "has test/ but no train/"),
        (["a/0.jpg", "b/0.jpg"], "the validation split has no image|the test split has no image"),
    ],
)
def test_refused(tmp_path: Path, files: list[str], message: str) -> None:
    touch(tmp_path, *files)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path)
    assert caught.value.exit_code == 3


def test_missing_or_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as caught:
        read(tmp_path / "none")
    assert "variables" not in str(caught.value)
    for path in ("$HOME/pets", "${DATA}/pets", r"%USERPROFILE%\pets"):
        with pytest.raises(
            DataError, match=r"variables \(\$HOME, %USERPROFILE%\) are not replaced"
        ):
            read(tmp_path / path)
    with pytest.raises(DataError, match="is not a folder"):
        read(touch(tmp_path, "file") / "file")
    with pytest.raises(DataError, match=r"a table; read it with data.source: \{csv: "):
        read(touch(tmp_path, "l.csv") / "l.csv")
    with pytest.raises(DataError, match="does not exist"):
        class_names(tmp_path / "none")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_share_beside_its_folder(tmp_path: Path, split: str) -> None:
    touch(tmp_path, *many("train/a", 2), *many("train/b", 2), f"{split}/a/0.jpg")
    with pytest.raises(DataError, match=f"{split}_split is given, but"):
        read(tmp_path, **{f"{split}_split": 0.5})


def test_results_of_zoo_are_no_class(tmp_path: Path) -> None:
    """`cd pets; zoo train pets.yaml` leaves runs/ among the classes."""
    touch(tmp_path, *many("a", 20), *many("b", 20), "runs/pets/20261127-232509-dc4e/plots/x.png")
    touch(tmp_path, "mine/tune-20261127-232509-dc4e/plots/x.png")
    layout = read(tmp_path)
    assert layout.class_names == ("a", "b") == class_names(tmp_path)
    assert "left out runs/, which holds results of zoo" in layout.notes
    assert "left out mine/, which holds results of zoo" in layout.notes
    by_name = read(tmp_path, labels_from="filename", label_pattern="[0-9]")
    assert by_name.class_names == tuple("0123456789")


def test_results_of_other_tools(tmp_path: Path) -> None:
    touch(tmp_path, *many("a", 20), *many("b", 20), *many("runs/classify/train", 20))
    with pytest.raises(DataError, match="runs would be a class, and tools that train keep"):
        read(tmp_path)
    assert read(tmp_path, train=".").class_names == ("a", "b", "runs")


def test_folders_of_classes_without_an_image(tmp_path: Path) -> None:
    touch(tmp_path, *many("train/a", 20), *many("train/b", 20))
    (tmp_path / "val" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no image in them.*leave it out: .*validation: none"):
        read(tmp_path)
    assert len(read(tmp_path, validation=None).validation) == 4


@pytest.mark.parametrize(
    "files, message",
    [
        (
            ["labels.csv"],
            "if labels.csv holds the labels, read it with data.source: {csv: {file",
        ),
        (["images/annotations.json"], r"labels are not read from images/annotations.json: put the"),
        (["readme.txt"], "to tell it from all else, add a folder of other images"),
    ],
)
def test_labels_in_a_table(tmp_path: Path, files: list[str], message: str) -> None:
    touch(tmp_path, *many("images", 9), *files)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_file_for_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "pets.tar.gz", "data.yaml")
    with pytest.raises(DataError, match="but an archive; unpack it and give the folder"):
        read(tmp_path / "pets.tar.gz")
    with pytest.raises(DataError, match="but a file; give the folder that holds the images"):
        read(tmp_path / "data.yaml")


def test_notes_on_splits(tmp_path: Path) -> None:
    """Of splits drawn by chance names are compared; of given ones, sizes."""
    for name in ("a", "b"):
        touch(tmp_path, *(f"drawn/{name}/{i}{end}.jpg" for i in range(9) for end in ("", "_flip")))
        touch(tmp_path, f"given/train/{name}/1.jpg", *many(f"given/val/{name}", 3))
        touch(tmp_path, f"given/val/{name}/1_flip.jpg")
    assert any("made of the same images" in note for note in read(tmp_path / "drawn").notes)
    notes = read(tmp_path / "given").notes
    assert (
        "validation has 8 images, more than the 2 of train: are the two folders swapped?" in notes
    )
    assert not any("made of the same images" in note for note in notes)
