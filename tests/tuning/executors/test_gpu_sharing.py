"""The daemon that lets workers share a GPU; here a script stands in for NVIDIA's program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.runs import environment
from tuning.executors import gpu_sharing, local
from tuning.executors.gpu_sharing import CONTROL, PIPES, GpuSharing
from zoo.rundir import Search

# Notes how it is called, and what it is told on stdin.
PROGRAM = """#!/bin/sh
if [ "$1" = -d ]; then exit %(code)s; fi
cat >> %(told)s
echo "$CUDA_MPS_PIPE_DIRECTORY" >> %(told)s
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the program was told; no daemon of the machine's own is found."""
    install(tmp_path, 0)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(PIPES, raising=False)
    monkeypatch.setattr(gpu_sharing, "DEFAULT_PIPES", tmp_path / "none")
    return tmp_path / "told"


def install(folder: Path, code: int) -> None:
    program = folder / CONTROL
    program.write_text(PROGRAM % {"told": folder / "told", "code": code})
    program.chmod(0o755)


def test_it_runs_until_it_is_stopped(told: Path) -> None:
    sharing = GpuSharing()
    variables = sharing.start()
    pipes = Path(variables[PIPES])
    assert pipes.is_dir()
    assert not told.exists()
    sharing.stop()
    sharing.stop()
    assert told.read_text().splitlines() == ["quit -t 10", str(pipes)]
    assert not pipes.exists()


def test_a_daemon_that_is_there_is_used(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own, at NVIDIA's place or elsewhere; it is never stopped."""
    for name, value in (("DEFAULT_PIPES", told.parent), ("DEFAULT_PIPES", told.parent / "none")):
        monkeypatch.setattr(gpu_sharing, name, value)
        (told.parent / "control").touch()
        if value != told.parent:
            monkeypatch.setenv(PIPES, "/somewhere")
        sharing = GpuSharing()
        assert sharing.start() == {}
        sharing.stop()
    assert not told.exists()


def test_a_daemon_that_does_not_start(told: Path) -> None:
    """Workers take turns then, as without MPS."""
    install(told.parent, 1)
    sharing = GpuSharing()
    assert sharing.start() == {}
    sharing.stop()
    assert not told.exists()


def test_machines_without_it(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(told.parent / "empty"))
    assert GpuSharing().start() == {}


def test_a_killed_search_leaves_no_daemon(told: Path) -> None:
    code = (
        "import time; from tuning.executors.gpu_sharing import GpuSharing; "
        "GpuSharing().start(); print('started', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(PATH=os.environ["PATH"]),
        stdout=subprocess.PIPE,
        text=True,
    ) as search:
        assert search.stdout is not None
        assert search.stdout.readline() == "started\n"
        search.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert told.read_text().startswith("quit")


@pytest.mark.parametrize(
    "gpus, workers, share", [(["0"], 4, "0.2250"), (["0", "1"], 3, "0.4500"), (["0"], 1, None)]
)
def test_workers_share_a_gpu(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: list[str],
    workers: int,
    share: str | None,
) -> None:
    """Each has its part of the memory, and finds the daemon."""
    name = "XLA_PYTHON_CLIENT_MEM_FRACTION"
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(local, "gpus", lambda: gpus)
    monkeypatch.setattr(GpuSharing, "start", lambda self: {PIPES: "here"})
    monkeypatch.setattr(local.LocalExecutor, "_start_worker", lambda self, index: None)
    executor = local.LocalExecutor(Search(tmp_path), workers)
    executor.start()
    environments = [executor._environment(index) for index in range(workers)]
    executor.stop()
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == [
        gpus[index % len(gpus)] for index in range(workers)
    ]
    for each in environments:
        assert each.get(name) == share
        assert each.get(PIPES) == ("here" if share else None)
