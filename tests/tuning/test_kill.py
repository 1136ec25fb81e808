"""Kills of workers and of the search change nothing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.tuning import stand_in
from tests.tuning.processes import (
    alive,
    children,
    ended,
    finished_trials,
    needs_proc,
    tune,
    wait_until,
)
from tests.tuning.searches import lasting, recipe_file, template
from tuning import oracle
from tuning.journal import read_trials
from tuning.search import SearchSettings, begin, resume
from zoo.rundir import Search

pytestmark = [needs_proc, pytest.mark.slow, pytest.mark.usefixtures("instant")]


@pytest.fixture(autouse=True)
def _random_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches in this process draw as those of `processes.tune` do."""
    monkeypatch.setattr(oracle, "make", stand_in.RandomOracle)


@pytest.fixture
def expected(tmp_path: Path, _random_oracle: None) -> list[dict[str, Any]]:
    """The trials of an undisturbed search with two workers."""
    out = tmp_path / "undisturbed"
    return lasting(begin(template(out), out, SearchSettings(workers=2)).folder)


@pytest.mark.timeout(600)
def test_kills_change_nothing(tmp_path: Path, expected: list[dict[str, Any]]) -> None:
    """Of a worker, of the search, of all of them, at random instants."""
    draw = random.Random(os.environ.get("ZOO_KILL_SEED", "0"))
    out = tmp_path / "killed"
    file = recipe_file(tmp_path)
    kills = 0
    while kills < 5:
        folders = list(out.glob("tiny/tune-*/tune.json"))
        arguments = ["--resume", folders[0].parent] if folders else [file, "--workers", "2"]
        before = finished_trials(out)
        process = tune(*arguments, "--out", out, "-q", cwd=tmp_path, STAND_IN_SECONDS="0.1")
        wait_until(lambda: finished_trials(out) > before or process.poll() is not None)  # noqa: B023
        time.sleep(draw.uniform(0.0, 0.2))
        if process.poll() is not None:
            process.communicate()
            break
        workers = children(process.pid)
        victims = draw.choice([workers[:1], [process.pid], [*workers, process.pid]])
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        kills += 1
        if process.pid not in victims:
            time.sleep(draw.uniform(0.0, 0.2))
            process.kill()
        process.communicate()
        wait_until(lambda: not any(alive(pid) for pid in workers))  # noqa: B023
    assert kills >= 3
    folder = Search.open(out / "tiny")
    if folder.info()["status"] != "done":
        code, _, errors = ended(tune("--resume", folder.folder, "--out", out, cwd=tmp_path))
        assert code == 0, errors
    assert lasting(folder) == expected
    assert {record.attempts for record in read_trials(folder)} > {1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(
    tmp_path: Path, expected: list[dict[str, Any]], number: signal.Signals
) -> None:
    arguments = (recipe_file(tmp_path), "--out", tmp_path, "--json", "--workers", "2")
    process = tune(*arguments, cwd=tmp_path, STAND_IN_SECONDS="0.2")
    wait_until(lambda: finished_trials(tmp_path) >= 2)
    workers = children(process.pid)
    process.send_signal(number)
    code, out, errors = ended(process)
    assert code == 130, errors
    error = json.loads(out)["error"]
    assert error["kind"] == "interrupted"
    assert "zoo tune --resume" in error["message"]
    assert workers
    assert not any(alive(pid) for pid in workers)
    folder = Search.open(tmp_path / "tiny")
    resume(folder.folder)
    assert lasting(folder) == expected
