"""Commands that run beside the tests from the begin of a session, since they mostly wait. Light.

A test marked `beside(MODULE, needs=PACKAGE)` calls `outcome`, which waits for the end of
`python -m MODULE FOLDER` and returns the JSON document in the last line of its output. Each command
runs once for all workers, one after the other in the order of the tests, in a network namespace of
its own: what it starts may listen anywhere.

usage: beside.py BASE MODULE...      runs the commands; `started` starts it
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
SECONDS = 1200


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
    process = start(marks, base)
    yield
    if process is not None:
        if session.shouldstop or session.shouldfail or session.exitstatus:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(SECONDS)


def start(marks: dict[str, pytest.Mark], base: Path) -> subprocess.Popen[bytes] | None:
    """Starts the commands; None if there are none, or another worker has started them."""
    if not marks:
        return None
    with (base / "beside.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_size:
            return None
        lock.write("started")
        for module, mark in marks.items():
            folder_of(module, base).mkdir(parents=True)
            if find_spec(mark.kwargs["needs"]) is None:
                skip(module, base, f"needs {mark.kwargs['needs']}")
        return subprocess.Popen(
            [sys.executable, "-m", "tests.beside", str(base), *marks],
            env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def folder_of(module: str, base: Path) -> Path:
    """The folder that a command is given."""
    return base / module / "work"


def skip(module: str, base: Path, reason: str) -> None:
    """Notes why a command cannot run."""
    (base / module / "skipped.txt").write_text(reason, encoding="utf-8")


def main(base: Path, *modules: str) -> None:
    """Runs the commands; the exit code of each comes last, and whole, into `code`."""
    inside = namespace()
    for module in modules:
        place = base / module
        if inside is None:
            skip(module, base, "no network namespace can be made here")
        elif not (place / "skipped.txt").exists():
            command = [*inside, sys.executable, "-m", module, str(folder_of(module, base))]
            with (place / "out.txt").open("wb") as out, (place / "err.txt").open("wb") as err:
                code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=err).returncode
            (place / "code.tmp").write_text(str(code))
            (place / "code.tmp").rename(place / "code")


def outcome(module: str, base: Path) -> Any:
    """The JSON document that a command printed; skips the test if it cannot run here."""
    place = base / module
    end = time.monotonic() + SECONDS
    while not (place / "code").exists():
        if (place / "skipped.txt").exists():
            pytest.skip((place / "skipped.txt").read_text(encoding="utf-8"))
        assert time.monotonic() < end, f"{module} does not end"
        time.sleep(0.1)
    errors = (place / "err.txt").read_text(encoding="utf-8", errors="replace")
    assert (place / "code").read_text() == "0", errors[-4000:]
    return json.loads((place / "out.txt").read_text(encoding="utf-8").splitlines()[-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
