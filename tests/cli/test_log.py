"""`zoo log`: what it refuses before it sends anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.calls import call, require_error
from tests.trackers import folders
from tests.trackers.recorder import Recorder
from zoo.verbs import send_later


def test_sent_to_a_table(tmp_path: Path) -> None:
    run = folders.finished(folders.run(tmp_path / "run"))
    assert call("log", run, "--to", "csv").exit_code == 0
    assert run.csv_file.is_file()


def test_what_a_tracker_has_is_sent_to_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the run was trained without trackers, and sent to one later."""
    run = folders.finished(folders.run(tmp_path / "run"))
    recorder = Recorder()
    monkeypatch.setattr(send_later, "make", lambda name: recorder)
    assert call("log", run, "--to", "mlflow").exit_code == 0
    sent = len(recorder.events)
    result = call("log", run)
    assert result.exit_code == 0, result.output
    assert f"sent      {run} to mlflow" in result.stdout
    assert ("begin", recorder.events[1][1], f"id-{recorder.events[1][1]}") in recorder.events[sent:]


def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = folders.finished(folders.run(tmp_path / "run"))
    require_error(call("log", run), 2, "was trained without trackers, and sent to none")
    require_error(call("log", run, "--to", ","), 2, "--to: names no tracker. Expected one or more")
    require_error(call("log", run, "--to", "csvv"), 2, "No tracker is called csvv")
    with run.locked():
        require_error(call("log", run, "--to", "csv"), 2, "is still running as process")
    access = os.access
    closed = run.folder
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != closed and access(path, mode)
    )
    message = "is read-only. What trackers have received is noted there"
    require_error(call("log", run, "--to", "csv"), 4, message)
    assert not run.csv_file.exists()
