"""The cache: entries are whole or built again, by one of many builders."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.datasets.conftest import make_recipe, whole
from tests.disks import file_size_limit
from zoo.datasets import build_lock
from zoo.datasets import cache as cache_module
from zoo.datasets.file_entry import Builder
from zoo.datasets.load import load
from zoo.errors import EnvironmentFault, StorageFault
from zoo.files import storage
from zoo.progress import no_progress


@pytest.mark.parametrize(
    "name", ["train.npy", "manifest.json", "statistics.npz", "train.files.npy", "test.paths.npy"]
)
def test_a_broken_cache_is_built_again(pets: Path, cache: Path, name: str) -> None:
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    pixels = whole(load(recipe).train)
    (entry,) = cache.iterdir()
    os.truncate(entry / name, 100)
    assert (whole(load(recipe).train) == pixels).all()
    assert [path.name for path in cache.iterdir()] == [entry.name]
    (entry / name).unlink()
    assert (whole(load(recipe).train) == pixels).all()


def test_two_builders_at_once(pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk without locks both build, and the first that is done wins."""

    def no_locks(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    fill = Builder.fill
    inner = []

    def slow(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(Builder, "fill", fill)
        inner.append(load(recipe))  # the other builder is done first
        return fill(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Builder, "fill", slow)
    outer = load(recipe)
    assert (whole(outer.train) == whole(inner[0].train)).all()
    assert len(list(cache.iterdir())) == 1


def test_a_build_that_ends_while_another_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder was there, and is renamed before anybody can look at it."""
    plain, calls = os.mkdir, []

    def mkdir(path: Path) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        plain(path)

    monkeypatch.setattr(build_lock.os, "mkdir", mkdir)
    with build_lock.building(tmp_path, "k", lambda: False, no_progress) as folder:
        assert folder is not None
        assert folder.is_dir()
    assert len(calls) == 2


def test_one_of_several_at_once_builds(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks are of open files, so threads stand for processes here."""
    monkeypatch.setattr(build_lock, "POLL_SECONDS", 0.01)
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    fill = Builder.fill
    builds, waited = [], threading.Event()

    def counted(*arguments: object, **options: object) -> object:
        builds.append(arguments)
        assert waited.wait(20)  # until another one waits for this one
        return fill(*arguments, **options)  # type: ignore[arg-type]

    def progress(done: int, total: int, what: str) -> None:
        if what == build_lock.WAITING:
            waited.set()

    monkeypatch.setattr(Builder, "fill", counted)
    with ThreadPoolExecutor(3) as threads:
        loaded = list(threads.map(lambda _: load(recipe, progress=progress), range(3)))
    assert len(builds) == 1
    assert len({splits.fingerprint for splits in loaded}) == 1
    assert [path.name for path in cache.iterdir()] == [
        path.name for path in cache.glob("[0-9a-f]*")
    ]


def test_hosts_that_share_a_cache_build_apart(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk gives each host a lock on the same folder."""
    monkeypatch.setattr(fcntl, "flock", lambda handle, operation: None)
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    fill = Builder.fill
    inner = []

    def slow(builder: Builder, folder: Path) -> object:
        monkeypatch.setattr(Builder, "fill", fill)
        (folder / "train.npy").write_bytes(b"half")
        with monkeypatch.context() as other_host:
            other_host.setattr("socket.gethostname", lambda: "other")
            inner.append(load(recipe))
        assert (folder / "train.npy").read_bytes() == b"half"
        return fill(builder, folder)

    monkeypatch.setattr(Builder, "fill", slow)
    outer = load(recipe)
    assert (whole(outer.train) == whole(inner[0].train)).all()
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_nothing(
    pets: Path, cache: Path, error: type[BaseException]
) -> None:
    def stop(done: int, total: int, what: str) -> None:
        raise error

    with pytest.raises(error):
        load(make_recipe({"folder": str(pets)}, loading="resident"), progress=stop)
    assert not list(cache.iterdir())


def test_what_a_killed_build_left_is_removed_after_a_day(pets: Path, cache: Path) -> None:
    for name, age in (("old", 2 * 86400), ("new", 0)):
        left = cache / f".building-{name}"
        left.mkdir(parents=True)
        (left / "train.npy").write_bytes(b"half")
        for path in (left / "train.npy", left):
            os.utime(path, (path.stat().st_mtime - age,) * 2)
    load(make_recipe({"folder": str(pets)}))
    assert [path.name for path in cache.glob(".*")] == [".building-new"]


def test_a_full_disk_is_told_before(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "SPARE_BYTES", 2**62)
    with pytest.raises(EnvironmentFault, match=r"of free disk\. Received .*; set ZOO_CACHE"):
        load(make_recipe({"folder": str(pets)}, loading="resident"))


def test_a_cache_that_cannot_be_made(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="the cache .* cannot be written: Not a dir"):
        load(make_recipe({"folder": str(pets)}), cache_dir=tmp_path / "file" / "cache")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace('"fingerprint": "', '"fingerprint": "0'),
        lambda text: text.replace('"count": ', '"number": '),
        lambda text: text.replace('"splits"', '"parts"'),
        lambda text: "[" * 100_000,
        lambda text: "[]",
    ],
)
def test_an_edited_manifest_is_not_used(
    pets: Path, cache: Path, damage: Callable[[str], str]
) -> None:
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    before = load(recipe)
    (entry,) = cache.iterdir()
    text = (entry / "manifest.json").read_text(encoding="ascii")
    assert damage(text) != text
    (entry / "manifest.json").write_text(damage(text), encoding="ascii")
    after = load(recipe)
    assert after.fingerprint == before.fingerprint
    assert (after.train.labels == before.train.labels).all()
    assert (entry / "manifest.json").read_text(encoding="ascii") == text


@pytest.mark.parametrize("name", ["train.npy", "statistics.npz"])
def test_an_array_that_cannot_be_read_is_built_again(pets: Path, cache: Path, name: str) -> None:
    """As large as it was: its first bytes are other ones."""
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    pixels = whole(load(recipe).train)
    (entry,) = cache.iterdir()
    with (entry / name).open("r+b") as file:
        file.write(b"rubbish!")
    assert (whole(load(recipe).train) == pixels).all()


def test_a_disk_that_takes_no_array(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on file sizes or a quota, which free space does not show."""
    streamed = whole(load(make_recipe({"folder": str(pets)}, loading="streamed")).train)
    shutil.rmtree(cache)
    create_array = cache_module.create_array

    def limited(path: Path, shape: tuple[int, ...]) -> object:
        with file_size_limit(100):
            return create_array(path, shape)

    monkeypatch.setattr(cache_module, "create_array", limited)
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    with pytest.raises(StorageFault, match=r"3.5 kB needed.* ZOO_CACHE"):
        load(recipe)
    assert not list(cache.iterdir())
    splits = load(make_recipe({"folder": str(pets)}))
    assert any("are decoded anew in each epoch: the cache" in note for note in splits.notes)
    assert (whole(splits.train) == streamed).all()


@pytest.mark.parametrize("step", ["keep_rows", "save_statistics", "flush"])
def test_a_disk_that_fills_in_the_middle(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def free(place: Path) -> int:
        return 1_200_000_000 if place.is_relative_to(cache) else 10**12

    monkeypatch.setattr(cache_module, step, full)
    monkeypatch.setattr(storage, "free_disk", free)
    recipe = make_recipe({"folder": str(pets)}, loading="resident")
    with pytest.raises(StorageFault, match=r"the cache .* no space .* 1\.2 GB free") as caught:
        load(recipe)
    assert str(cache) in str(caught.value)
    assert not list(cache.iterdir())
    monkeypatch.undo()
    assert len(whole(load(recipe).train))
