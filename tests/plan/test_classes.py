"""The number of classes is known without loading data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import network
from zoo.errors import DataError
from zoo.plan import num_classes
from zoo.recipe import Recipe, load


def test_classes_of_digits(tmp_path: Path) -> None:
    assert num_classes(network(tmp_path, "[flatten]")) == 10


def source(folder: Path, text: str) -> Recipe:
    file = folder / "net.yaml"
    file.write_text(
        f"name: net\ndata: {{source: {text}, image_size: 8}}\n"
        "model: {stack: [flatten]}\ntrain: {epochs: 1}\n",
        encoding="utf-8",
    )
    return load(str(file))


@pytest.mark.parametrize("inner", ["", "train/"])
def test_classes_of_a_folder(tmp_path: Path, inner: str) -> None:
    for name in ("cat", "dog", "eel"):
        folder = tmp_path / "pets" / f"{inner}{name}"
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(b"")
    assert num_classes(source(tmp_path, f"{{folder: {tmp_path}/pets}}")) == 3


def test_classes_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothere"):
        num_classes(source(tmp_path, f"{{folder: {tmp_path}/nothere}}"))


def test_classes_of_tfds(tmp_path: Path) -> None:
    assert num_classes(source(tmp_path, "{tfds: {name: x, num_classes: 7}}")) == 7
    with pytest.raises(DataError, match=r"--set data\.source\.tfds\.num_classes=N"):
        num_classes(source(tmp_path, "{tfds: x}"))
