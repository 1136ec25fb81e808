"""The `folder` source: verification, streaming, and what is done with bad images."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.conftest import Maker, make_recipe, whole
from tests.datasets.decoding.test_images import encoded, noise, png
from zoo.datasets import file_source as source
from zoo.datasets import stored_files
from zoo.datasets.decoding import images as decoder
from zoo.datasets.load import load
from zoo.datasets.normalise import normalisation
from zoo.errors import DataError

BAD = {
    "train/cat/cut.jpg": (encoded(noise(), "JPEG")[:1500], "cut short"),
    "train/dog/empty.jpg": (b"", "the file is empty"),
    "train/dog/text.jpg": (b"not found", "not an image"),
    "test/cat/bomb.png": (png(100_000, 100_000, 8, 2, b""), "megapixels"),
}


ODD = {
    "train/cat/cmyk.jpg": encoded(noise().convert("CMYK"), "JPEG"),
    "train/cat/deep.png": encoded(Image.fromarray(np.full((9, 9), 40_000, np.uint16)), "PNG"),
    "train/dog/moves.gif": encoded(
        noise(), "GIF", save_all=True, append_images=[Image.new("RGB", (60, 40))]
    ),
    "train/dog/palette.png": encoded(noise().convert("P"), "PNG"),
    "train/dog/.hidden.jpg": b"rubbish",
}


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*arguments: object) -> None:
        raise RuntimeError("decoded again")

    monkeypatch.setattr(decoder, "decode", decode)


@pytest.mark.parametrize("loading", ["resident", "streamed", "auto"])
def test_images_and_labels(pets: Path, loading: str) -> None:
    splits = load(make_recipe({"folder": str(pets)}, loading=loading))
    assert splits.class_names == ("cat", "dog")
    assert splits.image_shape == (8, 6, 3)
    assert [len(splits.train), len(splits.validation)] == [18, 2]
    assert splits.train.streamed == (loading == "streamed")
    assert splits.train.labels.dtype == np.int32
    assert splits.train.labels.tolist() == [0] * 9 + [1] * 9
    test = [np.asarray(Image.open(file)) for file in sorted((pets / "test").glob("*/*.png"))]
    assert (whole(splits.test) == np.stack(test)).all()
    assert (splits.train.images(np.array([17, 0])) == whole(splits.train)[[17, 0]]).all()
    assert len(splits.train.images(np.array([], int))) == 0
    assert splits.notes == ()


def test_the_ways_agree(pets: Path) -> None:
    ways = [
        load(make_recipe({"folder": str(pets)}, image_size=[5, 5], loading=loading))
        for loading in ("resident", "streamed")
    ]
    for name in ("train", "validation", "test"):
        assert (whole(getattr(ways[0], name)) == whole(getattr(ways[1], name))).all()
    assert ways[0].fingerprint == ways[1].fingerprint
    for kind in ("mean_image", "channel_meanstd"):
        assert normalisation(kind, ways[0].train) == normalisation(kind, ways[1].train)


def test_auto_streams_what_does_not_fit(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "free_host_memory", lambda: 2 * 24 * 8 * 6 * 3 - 1)
    assert load(make_recipe({"folder": str(pets)})).train.streamed
    monkeypatch.setattr(source, "free_host_memory", lambda: 2 * 24 * 8 * 6 * 3)
    assert not load(make_recipe({"folder": str(pets)})).train.streamed
    monkeypatch.setattr(source, "free_host_memory", lambda: 0)  # what is decoded already is used
    assert not load(make_recipe({"folder": str(pets)})).train.streamed


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_the_second_time_nothing_is_decoded(
    pets: Path, loading: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({"folder": str(pets)}, loading=loading)
    seen: list[tuple[int, int, str]] = []
    first = load(recipe, progress=lambda *step: seen.append(step))
    assert seen[-1][:2] == (24, 24)
    pixels = whole(first.train)
    forbid_decoding(monkeypatch)
    second = load(recipe)
    assert second.fingerprint == first.fingerprint
    assert normalisation("mean_image", second.train) == normalisation("mean_image", first.train)
    if loading == "resident":
        assert (whole(second.train) == pixels).all()


def test_a_changed_file_or_size_is_decoded_again(pets: Path, cache: Path) -> None:
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    first = load(recipe)
    file = pets / "test/cat/0.png"
    Image.new("RGB", (6, 8)).save(file)
    second = load(recipe)
    assert not whole(second.test)[0].any()
    assert second.fingerprint != first.fingerprint
    os.utime(file, ns=(1, 1))
    assert load(recipe).fingerprint == second.fingerprint
    load(make_recipe({"folder": str(pets)}, image_size=[4, 4], loading="resident"))
    assert len(list(cache.iterdir())) == 4


def test_the_fingerprint_is_the_same_elsewhere(pets: Path, tmp_path: Path) -> None:
    shutil.copytree(pets, tmp_path / "elsewhere")
    prints = {
        load(make_recipe({"folder": str(path)})).fingerprint
        for path in (pets, tmp_path / "elsewhere")
    }
    assert len(prints) == 1
    seeded = {"folder": {"path": str(pets), "split_seed": 1}}
    assert load(make_recipe(seeded)).fingerprint not in prints


def write(root: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (root / path).write_bytes(content)


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_all_bad_images_are_told_at_once(pets: Path, cache: Path, loading: str) -> None:
    write(pets, {path: content for path, (content, _) in BAD.items()} | ODD)
    with pytest.raises(DataError, match="on_bad_image: skip") as caught:
        load(make_recipe({"folder": str(pets)}, loading=loading))
    told = {problem.file: problem.message for problem in caught.value.problems}
    assert set(told) == {str(pets / path) for path in BAD}
    for path, (_, reason) in BAD.items():
        assert reason in told[str(pets / path)]
    assert caught.value.message.startswith("4 of 32 images cannot be used")
    assert not list(cache.iterdir())


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_bad_images_can_be_left_out(pets: Path, loading: str) -> None:
    write(pets, {path: content for path, (content, _) in BAD.items()} | ODD)
    splits = load(make_recipe({"folder": str(pets)}, loading=loading, on_bad_image="skip"))
    assert splits.test is not None
    assert len(splits.train) + len(splits.validation) == 20 + 4
    assert len(splits.test) == 4
    assert len(whole(splits.train)) == len(splits.train)
    for path in BAD:
        assert any(note.startswith(f"left out {path}: ") for note in splits.notes)
    assert "train/dog/moves.gif has 2 frames or pages; the first is used" in splits.notes
    statistics = splits.train.statistics
    assert statistics is not None
    assert (statistics.sums == whole(splits.train).sum(axis=0, dtype=np.uint64)).all()
    with pytest.raises(DataError, match="4 of 32"):  # what skip has kept is no way around error
        load(make_recipe({"folder": str(pets)}, loading=loading))


def test_a_class_that_loses_all_its_images(pets: Path) -> None:
    for file in (pets / "train/dog").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match="train has none of: dog") as caught:
        load(make_recipe({"folder": str(pets)}, on_bad_image="skip"))
    assert {Path(str(problem.file)).parent.name for problem in caught.value.problems} == {"dog"}


def test_a_file_that_breaks_during_training(pets: Path) -> None:
    splits = load(make_recipe({"folder": str(pets)}, loading="streamed"))
    (pets / "test/cat/0.png").write_bytes(b"")
    with pytest.raises(DataError, match="can no longer be decoded") as caught:
        whole(splits.test)
    assert caught.value.problems[0].file == str(pets / "test/cat/0.png")


def test_files_shared_between_splits_are_noted(pets: Path) -> None:
    shutil.copytree(pets / "test", pets / "validation")
    notes = load(make_recipe({"folder": str(pets)})).notes
    assert notes == ("4 files of test are byte for byte files of validation",)


def test_odd_names(tmp_path: Path, images: Maker) -> None:
    for name in ("größe", "a b"):
        images(name, 20)
    os.rename(tmp_path / "pets/a b/0.png", os.fsencode(tmp_path / "pets/a b") + b"/\xff.png")
    recipe = make_recipe({"folder": str(tmp_path / "pets")})
    assert load(recipe).fingerprint == load(recipe).fingerprint


def test_an_entry_names_every_file(pets: Path, cache: Path) -> None:
    load(make_recipe({"folder": str(pets)}, loading="streamed"))
    (entry,) = cache.iterdir()
    parts = json.loads((entry / "manifest.json").read_text())["splits"]
    test = stored_files.read(entry, "test", parts["test"])
    paths = sorted(pets.glob("test/*/*.png"))
    assert list(test.paths) == [str(path.relative_to(pets)) for path in paths]
    hashes = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    assert [row.tobytes() for row in test.sha256] == hashes
    assert {name: part["count"] for name, part in parts.items()} == {
        "train": 18, "validation": 2, "test": 4,
    }  # fmt: skip


def test_many_classes_are_decoded_once(
    images: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON sorts the labels 9 and 10 as text, unlike Python."""
    for label in range(12):
        images(f"class{label}", 20 if label < 2 else 2)
    recipe = make_recipe({"folder": str(tmp_path / "pets")})
    first = load(recipe)
    forbid_decoding(monkeypatch)
    assert load(recipe).fingerprint == first.fingerprint
