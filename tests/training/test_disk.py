"""A disk that fails at any write of a training: what is told, what is kept, and the resumed run."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.disks import failing_from, file_size_limit
from tests.runs import LINEAR, final, tiny
from zoo.errors import StorageFault
from zoo.files import storage
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.training import disk, resume, train
from zoo.training.live_checks import LiveChecks


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Saves its state after each of ten steps but an epoch's last."""
    return tiny(tmp_path_factory.mktemp("recipe"), LINEAR, "train.checkpoint_steps=1")


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, int]:
    """What a training on a good disk ends with, and its number of writes."""
    with failing_from(10**9) as count:
        run = train(recipe, tmp_path_factory.mktemp("undisturbed"))
    return final(run), count[0]


def fails(recipe: Recipe, out: Path, write: int, code: int) -> Run | None:
    """Trains until the disk fails at a write; requires what is told. None: nothing is kept."""
    with failing_from(write, code), pytest.raises(StorageFault) as caught:
        train(recipe, out)
    message = caught.value.message
    assert message.startswith(str(out))
    assert storage.REASONS[code][0] in message
    if not list(out.glob("tiny/*")):
        assert message.endswith("Nothing was trained yet.")
        return None
    run = Run.open(out / "tiny")
    assert message.endswith(f"Then resume with: zoo train --resume {run}")
    saved = [int(file.stem.removeprefix("step-")) for file in run.state_files()]
    assert (
        (f"The training up to step {saved[0]} is kept." in message)
        if saved
        else ("No state of the training was saved yet" in message)
    )
    return run


@pytest.mark.parametrize("write, code", [(1, errno.ENOSPC), (2, errno.EROFS), (9, errno.EDQUOT)])
def test_a_disk_that_fails(
    recipe: Recipe, undisturbed: tuple[Any, int], tmp_path: Path, write: int, code: int
) -> None:
    run = fails(recipe, tmp_path, write, code)
    assert (run is None) == (write <= 2)
    if run is not None:
        assert final(resume(run.folder)) == undisturbed[0]


@pytest.mark.laws
@pytest.mark.slow
def test_a_disk_that_fails_at_any_write(
    recipe: Recipe, undisturbed: tuple[Any, int], tmp_path: Path
) -> None:
    expected, writes = undisturbed
    assert writes > 15
    for write in range(1, writes):  # The last one is the status of a run that is done.
        run = fails(recipe, tmp_path / str(write), write, list(storage.REASONS)[write % 6])
        if run is not None:
            assert final(resume(run.folder)) == expected, f"write {write}"


@pytest.mark.laws
@pytest.mark.slow
def test_any_limit_on_file_sizes(
    recipe: Recipe, undisturbed: tuple[Any, int], tmp_path: Path
) -> None:
    """`ulimit -f` in earnest: the limit cuts each kind of file in turn."""
    for limit in (200, 1000, 1500, 3000, 6000, 10_000, 12_000, 15_000):
        out = tmp_path / str(limit)
        with file_size_limit(limit), pytest.raises(StorageFault, match="the limit is"):
            train(recipe, out)
        runs = list(out.glob("tiny/*"))
        for folder in runs:
            assert final(resume(folder)) == undisturbed[0], f"limit {limit}"


def test_too_little_room_is_told_before_the_first_step(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "free_disk", lambda path: 1_000)
    with pytest.raises(StorageFault, match="this training needs .* kB of free space") as caught:
        train(recipe, tmp_path)
    run = Run.open(tmp_path / "tiny")
    assert "Received 1.0 kB. Make room on that disk." in caught.value.message
    assert run.state_files() == run.rows() == []
    assert run.info()["status"] == "failed"


def test_files_of_a_resumed_run_are_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, weights = Run(tmp_path), [SimpleNamespace(dtype="float32", shape=(10, 10))]
    monkeypatch.setattr(storage, "free_disk", lambda path: 0)
    with pytest.raises(StorageFault):
        disk.require_room(run, weights, weights)
    run.state_folder.mkdir()
    run.state_file(1).write_bytes(bytes(10**6))
    disk.require_room(run, weights, weights)


def test_the_live_checks_end_no_training(tmp_path: Path) -> None:
    said: list[str] = []
    checks = LiveChecks.__new__(LiveChecks)
    checks.run, checks.findings, checks.broken, checks.on_finding = Run(tmp_path), {}, False, None
    checks.on_finding = said.append
    with failing_from(1):
        checks.close()
    assert len(said) == 1
    assert "checks.json: cannot be written: no space is left" in said[0]
    assert "report" not in said[0]
