"""Commands that run beside the tests from the begin of a session, since they mostly wait. Light.

A test marked `beside(MODULE, needs=PACKAGE)` calls `outcome`, which waits for the end of
`python -m MODULE FOLDER` and returns the JSON document in the last line of its output. The command
runs once for all workers, in a network namespace of its own: what it starts may listen anywhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMESPACES = (["unshare", "--net"], ["unshare", "--net", "--map-root-user"])
LOOPBACK = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
# The exit code comes last, and whole.
RECORD = ["sh", "-c", '"$@" >out.txt 2>err.txt; echo $? >code.tmp; mv code.tmp code', "sh"]
SECONDS = 540


def namespace() -> list[str] | None:
    """A command that runs another in a network namespace of its own; None where none does."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return None
    for command in NAMESPACES:
        if subprocess.run([*command, *LOOPBACK, "true"], capture_output=True).returncode == 0:
            return [*command, *LOOPBACK]
    return None


@contextmanager
def started(session: pytest.Session, base: Path) -> Iterator[None]:
    """Starts what chosen tests are marked with, unless another worker did; waits for its end.

    Args:
        base: folder of all workers of this session.
    """
    marks = {mark.args[0]: mark for item in session.items for mark in item.iter_markers("beside")}
    processes = [start(mark, base / module) for module, mark in marks.items()]
    yield
    ends_early = session.shouldstop or session.shouldfail or session.exitstatus
    for process in filter(None, processes):
        if ends_early:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(SECONDS)


def start(mark: pytest.Mark, folder: Path) -> subprocess.Popen[bytes] | None:
    """Starts a command; None if it runs, or cannot run: the reason is in `skipped.txt` then."""
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return None
        folder.mkdir()
        if find_spec(mark.kwargs["needs"]) is None:
            (folder / "skipped.txt").write_text(f"needs {mark.kwargs['needs']}", encoding="utf-8")
            return None
        inside = namespace()
        if inside is None:
            reason = "no network namespace can be made here"
            (folder / "skipped.txt").write_text(reason, encoding="utf-8")
            return None
        command = [sys.executable, "-m", mark.args[0], str(folder / "work")]
        return subprocess.Popen(
            [*RECORD, *inside, *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def outcome(module: str, base: Path) -> Any:
    """The JSON document that a command printed; skips the test if it cannot run here."""
    folder = base / module
    if (folder / "skipped.txt").exists():
        pytest.skip((folder / "skipped.txt").read_text(encoding="utf-8"))
    end = time.monotonic() + SECONDS
    while not (folder / "code").exists():
        assert time.monotonic() < end, f"{module} does not end"
        time.sleep(0.1)
    errors = (folder / "err.txt").read_text(encoding="utf-8", errors="replace")
    assert (folder / "code").read_text().strip() == "0", errors[-4000:]
    return json.loads((folder / "out.txt").read_text(encoding="utf-8").splitlines()[-1])
