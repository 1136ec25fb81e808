"""Whether the process behind a folder lives: its lock says so."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from zoo.errors import RunError
from zoo.rundir import Run
from zoo.rundir.liveness import is_elsewhere, is_locked, present_status


def test_locks(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert is_locked(tmp_path) is False
    with run.locked():
        assert is_locked(tmp_path) is True
    assert is_locked(tmp_path / "nowhere") is None


@pytest.mark.parametrize("status", ["running", "interrupted", "failed", "diverged", "done"])
def test_statuses(tmp_path: Path, status: str) -> None:
    info = {"status": status, "host": socket.gethostname()}
    assert present_status(tmp_path, info) == ("killed" if status == "running" else status)
    with Run(tmp_path).locked():
        assert present_status(tmp_path, info) == ("done" if status == "done" else "running")


def test_another_host(tmp_path: Path) -> None:
    info = {"status": "running", "host": "elsewhere"}
    assert is_elsewhere(info)
    assert present_status(tmp_path, info) == "running"
    assert not is_elsewhere({"status": "running"})  # Older files name none.


def test_who_looks_stops_no_run(tmp_path: Path) -> None:
    """Looking takes the lock for a moment; a run that begins then waits, but for a run it ends."""
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            is_locked(tmp_path)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with Run(tmp_path).locked():
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with (
        Run(tmp_path).locked(),
        pytest.raises(RunError, match="is still running"),
        Run(tmp_path).locked(),
    ):
        pass
