"""Verification that was killed goes on; what was verified before is not read again."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.datasets.conftest import Maker, make_recipe, whole
from zoo.datasets import verified, verify
from zoo.datasets.load import load
from zoo.datasets.splits import Splits
from zoo.errors import DataError
from zoo.recipe.schema import Recipe


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Records are written at once, chunks are small; counts how often each file is read."""
    monkeypatch.setattr(verified, "AFTER_SECONDS", 0.0)
    monkeypatch.setattr(verified, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(verified.os, "fsync", lambda handle: None)  # For time alone.
    monkeypatch.setattr(verify, "CHUNK", 4)
    counts: Counter[str] = Counter()
    plain = verify._verify_file

    def counted(store, file, *rest):  # type: ignore[no-untyped-def]
        counts[file.path] += 1
        return plain(store, file, *rest)

    monkeypatch.setattr(verify, "_verify_file", counted)
    return counts


def kill_after(monkeypatch: pytest.MonkeyPatch, recipe: Recipe, chunks: int) -> None:
    """Loads a recipe and kills it; what an end in Python would do is undone by no record of it."""
    saves = []
    plain = verified.Record.save

    def save(self, sums):  # type: ignore[no-untyped-def]
        if len(saves) >= chunks:
            return  # The process is dead.
        plain(self, sums)
        saves.append(1)
        if len(saves) == chunks:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(verified.Record, "save", save)
        with pytest.raises(KeyboardInterrupt):
            load(recipe)


def fresh(recipe: Recipe, folder: Path) -> Splits:
    """What a cache that is empty makes."""
    return load(recipe, cache_dir=folder)


def require_same(splits: Splits, expected: Splits) -> None:
    assert splits.fingerprint == expected.fingerprint
    assert (whole(splits.train) == whole(expected.train)).all()
    assert (whole(splits.test) == whole(expected.test)).all()
    for name in ("count", "sums", "squares", "histograms"):
        statistics = [getattr(of.train.statistics, name) for of in (splits, expected)]
        assert np.array_equal(*statistics), name
    assert splits.notes == expected.notes


@pytest.mark.parametrize("loading", ["resident", "streamed"])
@pytest.mark.parametrize("chunks", [1, 3])
def test_a_killed_verification_goes_on(
    pets: Path, cache: Path, tmp_path: Path, decoded: Counter[str],
    monkeypatch: pytest.MonkeyPatch, loading: str, chunks: int,
) -> None:  # fmt: skip
    recipe = make_recipe({"folder": str(pets)}, loading=loading)
    kill_after(monkeypatch, recipe, chunks)
    (text,) = cache.glob("verified/*.jsonl")
    lines = map(json.loads, text.read_text(encoding="utf-8").splitlines())
    saved = {file[0] for _, files in lines for file in files}
    assert 0 < len(saved) < 24
    decoded.clear()
    splits = load(recipe)
    assert not saved & {*decoded}
    assert len(saved | {*decoded}) == 24
    require_same(splits, fresh(recipe, tmp_path / "other"))
    assert not list(cache.glob(".*"))


def test_a_torn_line_is_left_out(
    pets: Path, cache: Path, tmp_path: Path, decoded: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A line that was written before the sums is known, and its pixels are summed again."""
    recipe = make_recipe({"folder": str(pets)}, loading="streamed")
    kill_after(monkeypatch, recipe, 3)
    (text,) = cache.glob("verified/*.jsonl")
    lines = text.read_bytes().splitlines(keepends=True)
    for damage in (lines[-1][:20], b"rubbish\n", lines[0]):
        with open(text, "ab") as file:
            file.write(damage)
        remove_entries(cache)
        require_same(load(recipe), fresh(recipe, tmp_path / str(len(damage))))
    text.write_bytes(b"".join(lines[:1]))  # shorter than the sums say
    remove_entries(cache)
    require_same(load(recipe), fresh(recipe, tmp_path / "short"))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04rubbish", b"rubbish"])
def test_sums_that_cannot_be_read_are_made_anew(
    pets: Path, cache: Path, tmp_path: Path, decoded: Counter[str], damage: bytes
) -> None:
    recipe = make_recipe({"folder": str(pets)}, loading="streamed")
    load(recipe)
    (sums,) = cache.glob("verified/*.npz")
    sums.write_bytes(damage)
    remove_entries(cache)
    require_same(load(recipe), fresh(recipe, tmp_path / "other"))


def test_a_disk_without_locks_has_no_record(
    pets: Path, cache: Path, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that write the same one would spoil the sums."""

    def no_locks(handle: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    load(make_recipe({"folder": str(pets)}, loading="streamed"))
    assert not any(path.stat().st_size for path in cache.glob("verified/*"))


def remove_entries(cache: Path) -> None:
    """Removes the entries of a cache, and keeps the record."""
    for entry in cache.iterdir():
        if entry.name != "verified":
            for file in entry.iterdir():
                file.unlink()
            entry.rmdir()


def test_only_changed_files_are_read_again(
    pets: Path, cache: Path, tmp_path: Path, images: Maker, decoded: Counter[str]
) -> None:
    recipe = make_recipe({"folder": {"path": str(pets)}}, loading="streamed")
    for name in ("cat", "dog"):
        images(f"val/{name}", 3)
    load(recipe)
    decoded.clear()
    images("train/cat", 12)  # 0 to 9 are overwritten, 10 and 11 are new
    for number in range(10):
        os.utime(pets / f"train/cat/{number}.png", ns=(1, 1))
    require_same(load(recipe), fresh(recipe, tmp_path / "a"))
    assert sum(decoded.values()) == 22 + 32  # all of train, as its sums begin anew; a fresh one
    decoded.clear()
    Image.new("RGB", (6, 8), "red").save(pets / "test/dog/new.png")
    Image.new("RGB", (6, 8), "blue").save(pets / "train/dog/new.png")
    splits = load(recipe)
    assert sorted(decoded) == ["test/dog/new.png", "train/dog/new.png"]
    require_same(splits, fresh(recipe, tmp_path / "b"))
    decoded.clear()
    os.rename(pets / "train/dog/new.png", pets / "val/dog/new.png")
    require_same(load(recipe), fresh(recipe, tmp_path / "c"))


def test_bad_files_that_were_repaired_are_all_that_is_read(
    pets: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    good = (pets / "train/cat/0.png").read_bytes()
    (pets / "train/cat/0.png").write_bytes(good[:50])
    recipe = make_recipe({"folder": str(pets)}, loading="streamed")
    with pytest.raises(DataError, match="1 of 24 images"):
        load(recipe)
    decoded.clear()
    (pets / "train/cat/0.png").write_bytes(good)
    splits = load(recipe)
    assert set(decoded) == {"train/cat/0.png"}
    require_same(splits, fresh(recipe, tmp_path / "other"))


def test_a_split_drawn_anew_moves_files_between_the_sums(
    pets: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    """Images that left train are taken out of its sums, and those that came are added."""
    source = {"path": str(pets), "split_seed": 0}
    load(make_recipe({"folder": source}, loading="streamed"))
    decoded.clear()
    recipe = make_recipe({"folder": {**source, "split_seed": 1}}, loading="streamed")
    splits = load(recipe)
    assert 0 < len(decoded) <= 4
    require_same(splits, fresh(recipe, tmp_path / "other"))


def test_a_quick_verification_leaves_no_record(pets: Path, cache: Path) -> None:
    load(make_recipe({"folder": str(pets)}, loading="streamed"))
    assert [path.name for path in cache.iterdir() if path.name == "verified"] == []


def test_a_record_that_only_grows_is_removed(
    pets: Path, cache: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    """Files that change again and again leave a line each time."""
    recipe = make_recipe({"folder": str(pets)}, loading="streamed")
    for number in range(verified.STALE):
        for file in pets.rglob("*.png"):
            os.utime(file, ns=(number, number))
        load(recipe)
        assert list(cache.glob("verified/*"))
    for file in pets.rglob("*.png"):
        os.utime(file, ns=(99, 99))
    require_same(load(recipe), fresh(recipe, tmp_path / "other"))
    assert not list(cache.glob("verified/*"))


def test_images_of_files_that_stay_are_copied(
    pets: Path, cache: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    """Found by their content: where files lie, and under which names, does not matter."""
    source = {"path": str(pets), "split_seed": 0}
    load(make_recipe({"folder": source}, loading="resident"))
    decoded.clear()
    Image.new("RGB", (6, 8), "red").save(pets / "test/dog/new.png")
    os.rename(pets / "test/cat/0.png", pets / "test/cat/00.png")
    recipe = make_recipe({"folder": {**source, "split_seed": 1}}, loading="resident")
    splits = load(recipe)
    assert {"test/dog/new.png"} <= set(decoded) - {"test/cat/00.png"}
    assert len(decoded) <= 6  # those that moved between the sums too
    require_same(splits, fresh(recipe, tmp_path / "other"))
    decoded.clear()
    for file in cache.glob("*/train.npy"):
        file.unlink()  # An entry that is damaged gives nothing.
    (pets / "test/dog/new.png").unlink()
    require_same(load(recipe), fresh(recipe, tmp_path / "third"))


def test_a_record_that_another_host_writes_is_given_up(
    pets: Path, cache: Path, tmp_path: Path, decoded: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """On some network disks a lock holds on one host alone; the sums would lack its files."""
    recipe = make_recipe({"folder": str(pets)}, loading="streamed")
    save = verified.Record.save

    def beside_another(record: verified.Record, sums: Any) -> None:
        save(record, sums)
        for text in cache.glob("verified/*.jsonl"):
            with open(text, "ab") as file:
                file.write(b"[1, []]\n")

    with monkeypatch.context() as patched:
        patched.setattr(verified.Record, "save", beside_another)
        require_same(load(recipe), fresh(recipe, tmp_path / "other"))
    assert not list(cache.glob("verified/*"))
    remove_entries(cache)
    require_same(load(recipe), fresh(recipe, tmp_path / "again"))
