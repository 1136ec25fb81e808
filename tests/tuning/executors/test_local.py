"""The local executor keeps the contract of `Executor`, with processes that train nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tuning.searches import Recorder, lasting, recipe_file, template
from tests.tuning.stand_in import RATE
from tuning.executors import local, pool
from tuning.executors.base import Event, Failed, Finished, Kept, Lost, Progress, Ready, Started
from tuning.executors.local import LocalExecutor
from tuning.journal import read_trials
from tuning.search import SearchResult, SearchSettings, begin
from tuning.trials import TrialSpec
from zoo.errors import EnvironmentFault
from zoo.rundir import Search

pytestmark = pytest.mark.usefixtures("stand_ins")


@pytest.fixture
def folder(tmp_path: Path) -> Search:
    """The folder of a search that has not begun."""
    search = Search.create(tmp_path, "x")
    recipe_file(tmp_path).rename(search.recipe_file)
    return search


@pytest.fixture
def executor(folder: Search) -> Iterator[LocalExecutor]:
    """One with a worker that is ready."""
    with LocalExecutor(folder, 1) as executor:
        until(executor, Ready)
        yield executor


def spec(index: int, rate: float = 0.01) -> TrialSpec:
    return TrialSpec(
        trial=f"x-{index}", stage="x", index=index, values={RATE: rate}, seed=1, epochs=1
    )


def until(executor: LocalExecutor, kind: Any) -> list[Event]:
    """The events up to the first of a kind."""
    events: list[Event] = []
    end = time.monotonic() + 60
    while not any(isinstance(event, kind) for event in events):
        assert time.monotonic() < end, f"no {kind.__name__} came, but {events}"
        events += executor.events(0.1)
    return events


def test_a_trial_from_submit_to_kept(executor: LocalExecutor, tmp_path: Path) -> None:
    assert executor.free == 1
    executor.submit(spec(0))
    assert executor.free == 0
    with pytest.raises(RuntimeError, match="no worker is free for trial x-1"):
        executor.submit(spec(1))
    started, *progress, finished = until(executor, Finished)
    assert started == Started(trial="x-0")
    assert progress
    assert all(isinstance(event, Progress) and event.trial == "x-0" for event in progress)
    assert isinstance(finished, Finished)
    assert (finished.trial, finished.result.status) == ("x-0", "done")
    with pytest.raises(RuntimeError, match="no worker holds trial x-1"):
        executor.keep("x-1", tmp_path / "kept")
    executor.keep("x-0", tmp_path / "kept")
    assert executor.free == 0
    assert until(executor, Kept) == [Kept(trial="x-0")]
    assert (tmp_path / "kept" / "run.json").is_file()
    assert executor.free == 1


def test_a_dead_worker_is_lost_and_replaced(
    folder: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", f"die:1:{tmp_path / 'flag'}")
    with LocalExecutor(folder, 1) as executor:
        until(executor, Ready)
        executor.submit(spec(0))
        assert until(executor, Lost)[-1] == Lost(
            worker="0", reason="killed by signal 9", trial="x-0"
        )
        until(executor, Ready)
        executor.submit(spec(0))
        until(executor, Finished)


def test_a_silent_worker_is_lost(
    folder: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is idle may be silent."""
    monkeypatch.setenv("STAND_IN_FAULT", f"hang:1:{tmp_path / 'flag'}")
    with LocalExecutor(folder, 1) as executor:
        until(executor, Ready)
        executor._silence = 0.3
        time.sleep(0.4)
        assert list(executor.events(0)) == []
        executor.submit(spec(0))
        assert until(executor, Lost)[-1] == Lost(
            worker="0", reason="was silent for 0 s", trial="x-0"
        )


def test_a_bug_in_a_worker(folder: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", f"bug:1:{tmp_path / 'flag'}")
    with LocalExecutor(folder, 1) as executor:
        until(executor, Ready)
        executor.submit(spec(0))
        failed = until(executor, Failed)[-1]
    assert isinstance(failed, Failed)
    assert "please report it:\nTypeError: it is ours" in str(failed.error)


def test_workers_that_do_not_start(folder: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", "no_start")
    with (
        LocalExecutor(folder, 1) as executor,
        pytest.raises(EnvironmentFault, match=r"ended with code 1.*\n.*no module named") as caught,
    ):
        until(executor, Ready)
    assert caught.value.exit_code == 4


def test_a_worker_that_has_built_many_networks_is_restarted(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before its last trial is kept."""
    monkeypatch.setattr(pool, "MAX_NETWORKS", 0)
    process = executor._workers[0].process
    executor.submit(spec(0))
    while executor._workers[0].process is process:
        for event in executor.events(0.1):
            if isinstance(event, Finished):
                executor.keep(event.trial, tmp_path / "kept")
    assert process.returncode == 0
    assert (tmp_path / "kept" / "run.json").is_file()
    assert isinstance(until(executor, Ready)[-1], Ready)


def test_each_worker_sees_one_gpu(folder: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU they share the threads."""
    monkeypatch.setattr(local, "gpus", lambda: ["2", "5"])
    executor = LocalExecutor(folder, 3)
    seen = [executor._environment(index)["CUDA_VISIBLE_DEVICES"] for index in range(3)]
    assert seen == ["2", "5", "2"]
    monkeypatch.setattr(local, "gpus", list)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert LocalExecutor(folder, 3)._environment(0)["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    "visible, expected", [("", []), ("-1", []), ("0", ["0"]), ("2, 5", ["2", "5"])]
)
def test_gpus_that_the_user_allows(
    monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local.gpus() == expected


def test_a_search_loses_a_worker(
    tmp_path: Path, undisturbed: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes give what trials in this process give, and a lost trial is run again."""
    monkeypatch.setenv("STAND_IN_FAULT", f"die:4:{tmp_path / 'flag'}")
    recorder = Recorder()
    result = begin(template(tmp_path), tmp_path, SearchSettings(listener=recorder))
    assert recorder.notes == ["worker 0 was lost (killed by signal 9); another is started"]
    assert lasting(result.folder) == lasting(undisturbed.folder)
    attempts = {record.trial: record.attempts for record in read_trials(result.folder)}
    assert {name for name, count in attempts.items() if count == 2} == {"coarse-003"}
    assert set(attempts.values()) == {1, 2}
    assert {file.name for file in (result.folder.folder / "workers").iterdir()} == {"0.log"}
