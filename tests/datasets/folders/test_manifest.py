"""Manifests: what they say is trusted, and noticed where it is not so."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.conftest import Maker, make_recipe, whole
from zoo.datasets import verify
from zoo.datasets.folders import layout as layouts
from zoo.datasets.folders import manifest as manifests
from zoo.datasets.folders.tree import Tree
from zoo.datasets.load import load
from zoo.datasets.splits import encoded_images
from zoo.datasets.write_manifest import write_manifest
from zoo.errors import DataError
from zoo.recipe.source import Folder


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses to list folders below the images, to ask for their files, and to verify them."""

    def refused(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("the disk was asked")

    monkeypatch.setattr(Tree, "_list", refused)
    monkeypatch.setattr("zoo.datasets.folders.listing._size_and_time", refused)
    monkeypatch.setattr("zoo.datasets.tables.image_paths.ImagePaths.status", refused)
    monkeypatch.setattr(verify, "_verify_file", refused)


@pytest.fixture
def manifest(pets: Path, tmp_path: Path) -> Path:
    """The manifest of `pets`."""
    file = tmp_path / "pets.manifest"
    write_manifest(make_recipe({"folder": str(pets)}, loading="streamed"), file)
    return file


VARIANTS = [
    ({}, {}),
    ({"split_seed": 3, "validation_split": 0.4}, {}),
    ({}, {"classes": ["dog", "cat"]}),
    ({}, {"fold": {"index": 2, "of": 3}}),
    ({"labels_from": "filename", "label_pattern": "^(\\w+)/", "test": None}, {}),
]


@pytest.mark.parametrize("source, data", VARIANTS)
def test_a_manifest_stands_for_the_files(
    pets: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    source: dict[str, Any], data: dict[str, Any],
) -> None:  # fmt: skip
    """Whatever the options: the same splits, fingerprint, statistics and images."""
    data = {"loading": "streamed", **data}
    plain = load(make_recipe({"folder": {"path": str(pets), **source}}, **data))
    folder = {"path": str(pets), "manifest": str(manifest), **source}
    recipe = make_recipe({"folder": folder}, **data)
    with monkeypatch.context() as patched:
        forbid(patched)
        trusting = load(recipe, cache_dir=tmp_path / "other host")
    assert trusting.fingerprint == plain.fingerprint
    assert trusting.class_names == plain.class_names
    assert (trusting.train.labels == plain.train.labels).all()
    assert (whole(trusting.train) == whole(plain.train)).all()
    assert trusting.manifest == {
        "file": str(manifest), "files": 24, "written": trusting.manifest["written"],
    }  # fmt: skip
    assert "sizes and hashes of 24 files are those of the manifest" in trusting.notes[0]
    assert plain.manifest is None
    if not source and not data.keys() - {"loading"}:
        assert np.array_equal(trusting.train.statistics.sums, plain.train.statistics.sums)
        assert trusting.notes[1:] == plain.notes


def test_it_is_the_same_on_a_host_with_the_files_elsewhere(
    pets: Path, manifest: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(pets, tmp_path / "moved")
    recipe = make_recipe({"folder": {"path": str(moved), "manifest": str(manifest)}})
    assert load(recipe).fingerprint == load(make_recipe({"folder": str(pets)})).fingerprint


@pytest.mark.parametrize("damage", ["other", "as large", "gone"])
@pytest.mark.parametrize("loading", ["streamed", "resident"])
def test_a_file_that_is_another_is_noticed(
    pets: Path, manifest: Path, loading: str, damage: str
) -> None:
    file = pets / "test/cat/0.png"
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes((pets / "test/dog/1.png").read_bytes() if damage == "other"
                         else content[:-1] + b"x")  # fmt: skip
    recipe = make_recipe(
        {"folder": {"path": str(pets), "manifest": str(manifest)}}, loading=loading
    )
    with pytest.raises(DataError) as caught:
        whole(load(recipe).test)
    told = caught.value
    assert [problem.file for problem in told.problems] == [str(file)]
    if damage != "gone":
        assert "write the manifest anew: zoo show RECIPE --write-manifest" in told.message
        assert told.problems[0].message == "its content is not that of the manifest"


def test_probes_of_an_export_are_compared_too(pets: Path, manifest: Path) -> None:
    recipe = make_recipe(
        {"folder": {"path": str(pets), "manifest": str(manifest)}}, loading="streamed"
    )
    test = load(recipe).test
    assert test is not None
    (pets / "test/cat/0.png").write_bytes(b"other")
    with pytest.raises(DataError, match="not the one in the manifest"):
        encoded_images(test, np.arange(2))


@pytest.mark.parametrize("loading", ["streamed", "resident"])
def test_bad_files_stay_in_the_draws(pets: Path, tmp_path: Path, loading: str) -> None:
    """They are left out as they were where the manifest was written."""
    (pets / "train/dog/3.png").write_bytes(b"broken")
    file = tmp_path / "m"
    recipe = make_recipe({"folder": str(pets)}, on_bad_image="skip", loading="streamed")
    written = write_manifest(recipe, file)
    assert (written.files, written.unusable) == (24, 1)
    folder = {"path": str(pets), "manifest": str(file)}
    trusting = load(make_recipe({"folder": folder}, on_bad_image="skip", loading=loading))
    assert trusting.fingerprint == load(recipe).fingerprint == written.fingerprint
    assert any("as the manifest says" in note for note in trusting.notes)
    with pytest.raises(DataError, match="1 of 24 images cannot be used"):
        load(make_recipe({"folder": folder}, loading=loading))


def test_a_manifest_of_a_table(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["path,class", *(f"{p.relative_to(pets)},{p.parent.name}"
                            for p in sorted(pets.glob("train/*/*.png")))]  # fmt: skip
    (pets / "l.csv").write_text("\n".join(rows[:1] + rows[:0:-1]))
    source = {"file": str(pets / "l.csv"), "image": "path", "label": "class"}
    plain = make_recipe({"csv": source}, loading="streamed")
    file = tmp_path / "m"
    assert write_manifest(plain, file).files == 20
    recipe = make_recipe({"csv": {**source, "manifest": str(file)}}, loading="streamed")
    with monkeypatch.context() as patched:
        forbid(patched)
        trusting = load(recipe, cache_dir=tmp_path / "other")
    assert trusting.fingerprint == load(plain).fingerprint
    assert (whole(trusting.train) == whole(load(plain).train)).all()
    with (pets / "l.csv").open("a") as text:
        text.write("\ntrain/cat/new.png,cat")
    with pytest.raises(DataError, match="RECIPE --write-manifest") as caught:
        load(recipe)
    assert "train/cat/new.png is not in the manifest" in caught.value.problems[0].message


def test_anybody_may_write_one(pets: Path, tmp_path: Path, images: Maker) -> None:
    """In any order, without what zoo measured; names that no line holds as they are, as JSON."""
    images("train/cat/odd\nname", 1)
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()} {p.stat().st_size} "
        + (json.dumps(str(p.relative_to(pets))) if "\n" in str(p) else str(p.relative_to(pets)))
        for p in sorted(pets.rglob("*.png"), reverse=True)
    ]
    file = tmp_path / "m"
    file.write_text("\n".join(["\ufeff# mine", *lines]))  # As Windows' Notepad writes.
    folder = {"path": str(pets), "manifest": str(file)}
    trusting = load(make_recipe({"folder": folder}, loading="streamed"))
    plain = load(make_recipe({"folder": str(pets)}, loading="streamed"))
    assert trusting.fingerprint == plain.fingerprint
    assert any("does not say what decoding loses" in note for note in trusting.notes)
    assert trusting.train.statistics is None


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", "names no file"),
        ("rubbish\n", ":1: not a line of a manifest"),
        ("# x\n" + "0" * 64 + " 5 ../a.png\n", ":2: not a line of a manifest"),
        ("0" * 64 + " 5 /a.png\n", "relative to the folder"),
        ("0" * 63 + " 5 a.png\n", "SHA256 SIZE PATH"),
        ("0" * 64 + " five a.png\n", "SHA256 SIZE PATH"),
        (f"{'0' * 64} 5 a.png\n" * 2, "names a.png twice"),
        ("0" * 64 + " -5 a.png\n", "SHA256 SIZE PATH"),
        ("0" * 64 + " 1_0 a.png\n", "SHA256 SIZE PATH"),
        ("# zoo manifest {\n", ":1: not a line of a manifest"),
        (f"# zoo manifest {'[' * 100_000}\n", ":1: not a line of a manifest"),
    ],
)
def test_a_wrong_manifest_is_told(pets: Path, tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "m"
    file.write_text(text)
    with pytest.raises(DataError, match=expected):
        manifests.read(str(file))
    with pytest.raises(DataError, match="the manifest .* cannot be read: No such file"):
        manifests.read(str(tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe is not a regular file"):
        manifests.read(str(tmp_path / "pipe"))


def test_what_zoo_measured_is_trusted_as_it_was_written(manifest: Path, tmp_path: Path) -> None:
    """Of it come statistics, and what decoding loses: any change of it is noticed."""
    first, rest = manifest.read_text().split("\n", 1)
    head = json.loads(first.removeprefix(manifests.HEAD))
    file = tmp_path / "m"
    file.write_text(f"{manifests.HEAD}{json.dumps(head, indent=None, sort_keys=True)}\n{rest}")
    assert manifests.read(str(file)).head == manifests.read(str(manifest)).head
    for change in ({"statistics": "AAAA"}, {"content": []}, {"format": 2}, {"sha256": None}):
        file.write_text(f"{manifests.HEAD}{json.dumps(head | change)}\n{rest}")
        with pytest.raises(DataError, match="'# zoo manifest' is not as this version of zoo"):
            manifests.read(str(file))
    file.write_text(f"{manifests.HEAD}[1]\n{rest}")
    with pytest.raises(DataError, match="write the manifest anew"):
        manifests.read(str(file))


@pytest.mark.parametrize("name", ["train", "train/cat", "train/a", "."])
def test_a_tree_of_a_manifest_is_that_of_the_disk(pets: Path, images: Maker, name: str) -> None:
    for folder in ("train/a b/c", "train/a.b", "train/a", "train/a0"):
        images(folder, 2)
    (pets / "m").write_text("\n".join(
        f"{'1' * 64} {p.stat().st_size} {p.relative_to(pets)}" for p in pets.rglob("*.png")
    ))  # fmt: skip
    trusting = layouts.open_tree(Folder(path=str(pets), manifest=str(pets / "m")))
    (pets / "m").unlink()
    disk = layouts.open_tree(Folder(path=str(pets)))
    where = pets / name if name != "." else pets
    assert [(e.name, e.is_folder) for e in trusting.entries(where)] == [
        (e.name, e.is_folder) for e in disk.entries(where)
    ]


def test_an_unknown_source_has_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Expected data.source: folder or csv. Received digits"):
        write_manifest(make_recipe("digits"), tmp_path / "m")
