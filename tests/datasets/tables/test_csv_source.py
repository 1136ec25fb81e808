"""The `csv` source: the same images, labels and fingerprint as from folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.datasets.conftest import make_recipe, whole
from zoo.datasets.load import load
from zoo.errors import DataError


def listed(pets: Path, columns: str = "path,class,split") -> Path:
    """A table beside the images that says what their folders say."""
    files = sorted((path.relative_to(pets) for path in pets.rglob("*.png")), reverse=True)
    rows = [f"{file},{file.parts[1]},{file.parts[0]}" for file in files]
    table = pets / "labels.csv"
    table.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return table


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_a_table_is_as_good_as_folders(pets: Path, loading: str) -> None:
    by_folder = load(make_recipe({"folder": str(pets)}, loading=loading))
    file = listed(pets)
    csv = {"file": str(file), "image": "path", "label": "class", "split": "split"}
    by_table = load(make_recipe({"csv": csv}, loading=loading))
    assert by_table.class_names == by_folder.class_names
    assert by_table.fingerprint == by_folder.fingerprint
    for split in ("train", "validation", "test"):
        one, other = getattr(by_folder, split), getattr(by_table, split)
        assert (one.labels == other.labels).all()
        assert one.labels.dtype == other.labels.dtype
        assert (whole(one) == whole(other)).all()
    assert not by_table.multi_label


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_many_labels(pets: Path, loading: str) -> None:
    file = listed(pets)
    lines = file.read_text(encoding="utf-8").replace(",cat,", ",cat|pet,").replace(",dog,", ",pet,")
    file.write_text(lines, encoding="utf-8")
    csv = {
        "file": str(file), "image": "path", "label": "class", "split": "split",
        "label_separator": "|",
    }  # fmt: skip
    splits = load(make_recipe({"csv": csv}, loading=loading))
    assert splits.multi_label
    assert splits.class_names == ("cat", "pet")
    labels = splits.train.labels
    assert labels.dtype == np.uint8
    assert labels.shape == (18, 2)
    assert labels.sum(axis=0).tolist() == [9, 18]
    again = load(make_recipe({"csv": csv}, loading=loading))
    assert (again.train.labels == labels).all()
    assert again.fingerprint == splits.fingerprint


def test_bad_and_missing_images_are_left_out(pets: Path) -> None:
    file = listed(pets)
    (pets / "train/cat/0.png").write_bytes(b"no image")
    (pets / "train/cat/1.png").unlink()
    csv = {"file": str(file), "image": "path", "label": "class", "split": "split"}
    with pytest.raises(DataError, match="1 missing file"):
        load(make_recipe({"csv": csv}))
    splits = load(make_recipe({"csv": csv}, on_bad_image="skip"))
    assert [len(splits.train), len(splits.validation)] == [16, 2]
    assert splits.notes[0].endswith("whose files do not exist: train/cat/1.png")
    assert splits.notes[1].startswith("left out train/cat/0.png: not an image")
