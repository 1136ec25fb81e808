"""A process that watches over one that trains with others says how that one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = """\
import os, signal, sys, time
from zoo.backend import supervisor
from zoo.errors import ZooError
from zoo.files import streams
streams.guard()
try:
    supervisor.supervise("process 1 of 2 (here)", 2, 300)
except ZooError as error:
    print(f"{type(error).__name__}: {error}")
    raise SystemExit(error.exit_code)
"""
TOLD = 'supervisor.tell(phase="met", resume="zoo train --resume RUN")\n'
ABORT = 'os.write(2, b"the JAX distributed service detected fatal errors"); os.abort()\n'


def start(child: str) -> subprocess.Popen[str]:
    """The parent, whose child runs some code."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT + child],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def end(child: str) -> tuple[int, str, str]:
    process = start(child)
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error


@pytest.mark.parametrize(
    "child, code, printed",
    [
        ('print("trained"); raise SystemExit(3)', 3, "trained"),
        (
            TOLD + ABORT, 4,
            "PeerLost: process 1 of 2 (here): another process was lost, or gave no sign of life "
            "for 2 seconds; without it no other goes on. What was saved is kept. Resume, in "
            "every process, with: zoo train --resume RUN",
        ),
        (TOLD + 'supervisor.tell(word="disk full")\n' + ABORT, 4, "(here): disk full"),
        (TOLD + "os.abort()", 4, "(here): another process was lost, or gave no sign of life"),
        (ABORT, 4, "the processes did not all meet within 300 seconds"),
        (TOLD + "os.kill(os.getpid(), signal.SIGKILL)", 4, "SIGKILL, perhaps for want of memory"),
    ],
    ids=["code", "peer lost", "word of the peer", "muted", "never met", "killed"],
)  # fmt: skip
def test_end_of_the_child_is_told_in_one_sentence(child: str, code: int, printed: str) -> None:
    returned, out, error = end(child)
    assert (returned, error) == (code, "")  # What libraries printed is held back.
    assert printed in out
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("news, times", [("{}", 1), ('{"phase": "met"}', 0)])
def test_a_long_wait_for_the_others_is_told_once(news: str, times: int) -> None:
    change = f"supervisor.WORD_SECONDS = 0.0; supervisor._news.update({news})"
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("streams.guard()", change) + "time.sleep(1.5)"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    word = "process 1 of 2 (here) still waits for the others, 300 s at most\n"
    assert (run.returncode, run.stderr) == (0, word * times)


def test_what_a_crashed_child_printed_last_is_shown() -> None:
    child = TOLD + r'os.write(2, b"noise\n" * 9000 + b"the reason\n"); os.abort()'
    code, out, _ = end(child)
    first, *lines = out.splitlines()
    assert code == 4
    assert "was ended by SIGABRT. What was saved is kept." in first
    assert lines == ["noise"] * 19 + ["the reason"]


def test_signal_reaches_the_child_which_ends_as_it_likes() -> None:
    code = "signal.signal(15, lambda *_: sys.exit(130)); print('ready', flush=True); time.sleep(60)"
    with start(code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_child_ends_with_a_parent_that_was_killed_or_froze(
    number: signal.Signals, tmp_path: Path
) -> None:
    """Else a training would go on that its launcher believes to be gone."""
    file = tmp_path / "pid"
    with start(f"open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)") as process:
        while not file.is_file() or not file.read_text():
            time.sleep(0.01)
        child = int(file.read_text())
        process.send_signal(number)
        for _ in range(1000):
            if not alive(child):
                break
            time.sleep(0.02)
        assert not alive(child)
        process.kill()


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
