"""`zoo tune` in processes of its own, and what tests ask of processes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runs import environment
from tests.tuning import stand_in

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


def tune(
    *arguments: str | Path, cwd: Path, stand_ins: bool = True, **variables: str
) -> subprocess.Popen[str]:
    """Starts `zoo tune`, with workers that train nothing unless told otherwise."""
    program = [stand_in.__file__] if stand_ins else ["-m", "zoo"]
    return subprocess.Popen(
        [sys.executable, *program, "tune", *map(str, arguments)],
        cwd=cwd, env=environment(CUDA_VISIBLE_DEVICES="", **variables), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_as_from_a_terminal,
    )  # fmt: skip


def _as_from_a_terminal() -> None:
    """A script in the background ignores SIGINT, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    pids = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            pids += [int(child) for child in task.read_text().split()]
    return pids


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def finished_trials(out: Path) -> int:
    """Number of rows in the journal of the one search under `out`."""
    files = list(out.glob("tiny/tune-*/trials.jsonl"))
    return files[0].read_bytes().count(b"\n") if files else 0
