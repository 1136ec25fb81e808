"""Hot reload with stand-ins for models."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from zoo.errors import DataError
from zoo.serve.model_path import ModelPath
from zoo.serve.status import StatusError
from zoo.serve.versions import POLL_SECONDS, Versions, snapshot


@dataclass
class Fake:
    version: int
    text: str
    in_flight: int = 0


class Folder:
    """A folder of versions, each with one text file."""

    def __init__(self, path: Path, *versions: int) -> None:
        self.path = path
        self.notes: list[str] = []
        for version in versions:
            self.write(version)

    def write(self, version: int, text: str = "good") -> None:
        folder = self.path / str(version)
        folder.mkdir(exist_ok=True)
        (folder / "saved_model.pb").write_text(text)

    def load(self, folder: Path, version: int) -> Fake:
        text = (folder / "saved_model.pb").read_text()
        if text.startswith("bad"):
            raise DataError(f"{version} is damaged")
        return Fake(version, text)

    def versions(self, **more: bool) -> Versions[Fake]:
        result = Versions(ModelPath("m", self.path), self.load, self.notes.append, **more)
        result.start()
        return result


def states(versions: Versions[Fake]) -> dict[int, str]:
    return {version: state.state for version, state in versions.states.items()}


async def unloaded(versions: Versions[Fake], version: int) -> None:
    async with asyncio.timeout(10):
        while versions.states[version].state != "END":
            await asyncio.sleep(POLL_SECONDS)


def test_the_newest_is_served(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 1, 2, 10)
    (tmp_path / "not-a-version").mkdir()
    (tmp_path / "11").write_text("a file")
    versions = folder.versions()
    assert versions.get().version == 10
    assert versions.get(10).version == 10
    assert states(versions) == {10: "AVAILABLE"}
    with pytest.raises(StatusError, match=r"Servable not found for request: Specific\(m, 2\)"):
        versions.get(2)


def test_a_new_version_takes_over_and_the_old_one_finishes(tmp_path: Path) -> None:
    async def test() -> None:
        folder = Folder(tmp_path, 1)
        versions = folder.versions()
        old = versions.get()
        old.in_flight = 1
        folder.write(2)
        await versions.refresh()
        assert versions.get().version == 2
        await asyncio.sleep(2 * POLL_SECONDS)
        assert states(versions) == {1: "UNLOADING", 2: "AVAILABLE"}
        old.in_flight = 0
        await unloaded(versions, 1)
        assert states(versions) == {1: "END", 2: "AVAILABLE"}
        assert folder.notes == ["version 2 is loaded", "version 1 is unloaded"]
        assert versions.status(1)["model_version_status"][0]["status"]["error_code"] == "OK"

    asyncio.run(test())


def test_a_damaged_version_changes_nothing_and_is_tried_again(tmp_path: Path) -> None:
    async def test() -> None:
        folder = Folder(tmp_path, 1)
        versions = folder.versions()
        folder.write(2, "bad")
        for _ in range(3):
            await versions.refresh()
        assert versions.get().version == 1
        assert states(versions) == {1: "AVAILABLE", 2: "END"}
        (entry,) = versions.status(2)["model_version_status"]
        assert entry["status"] == {"error_code": "UNKNOWN", "error_message": "2 is damaged"}
        assert folder.notes == ["version 2 cannot be loaded: 2 is damaged"]  # Once.
        folder.write(2, "good now")
        await versions.refresh()
        assert versions.get().version == 2

    asyncio.run(test())


def test_a_version_that_is_taken_away_gives_way_to_the_one_before(tmp_path: Path) -> None:
    async def test() -> None:
        folder = Folder(tmp_path, 1, 2)
        versions = folder.versions()
        (tmp_path / "2").rename(tmp_path / "aside")
        await versions.refresh()
        assert versions.get().version == 1
        (tmp_path / "1").rename(tmp_path / "aside1")
        await versions.refresh()
        assert versions.get().version == 1  # Better than nothing.
        (tmp_path / "aside").rename(tmp_path / "2")
        await unloaded(versions, 2)
        await versions.refresh()
        assert versions.get().version == 2

    asyncio.run(test())


def test_all_versions(tmp_path: Path) -> None:
    async def test() -> None:
        folder = Folder(tmp_path, 1, 2)
        versions = folder.versions(all_versions=True)
        folder.write(3)
        await versions.refresh()
        assert sorted(versions.loaded) == [1, 2, 3]
        assert versions.get(1).version == 1
        (tmp_path / "1" / "saved_model.pb").unlink()
        (tmp_path / "1").rmdir()
        await versions.refresh()
        assert sorted(versions.loaded) == [2, 3]

    asyncio.run(test())


def test_watching(tmp_path: Path) -> None:
    async def test() -> None:
        folder = Folder(tmp_path, 1)
        versions = folder.versions()
        task = asyncio.create_task(versions.watch(0.01))
        folder.write(5)
        for _ in range(200):
            await asyncio.sleep(0.01)
            if versions.get().version == 5:
                break
        task.cancel()
        assert versions.get().version == 5

    asyncio.run(test())


def test_no_version_to_start_with(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no numeric version folder"):
        Folder(tmp_path).versions()
    folder = Folder(tmp_path, 1)
    folder.write(3, "bad")
    with pytest.raises(DataError, match="3 is damaged"):
        folder.versions()


def test_snapshots_tell_files_apart(tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("x")
    after = snapshot(tmp_path)
    assert before != after
    (tmp_path / "a" / "b").write_text("xy")
    assert snapshot(tmp_path) != after
