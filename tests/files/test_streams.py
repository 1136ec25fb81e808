"""Standard output that is closed, unread or full: an exit code that is true, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ZOO = f"{sys.executable} -m zoo"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command, code, told",
    [
        (f"{ZOO} list | head -1", 0, ""),  # Buffered to the end.
        (f"{ZOO} schema | head -1", 0, ""),  # More than a buffer.
        (f"{ZOO} list > /dev/full", 4, "standard output: cannot be written: No space left"),
        (f"{ZOO} show nosuch --json > /dev/full", 2, ""),
        (f"{ZOO} show nosuch 2> /dev/full", 2, ""),
        (f"{ZOO} list >&-", 0, ""),
    ],
)
def test_a_stream_that_fails(command: str, code: int, told: str) -> None:
    done = shell(command)
    assert done.returncode == code, done.stderr
    assert (told in done.stderr) if told else (done.stderr == "")
    assert "Traceback" not in done.stderr


def test_a_file_does_not_take_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Else what libraries print would go into the file."""
    code = (
        "from zoo.files import streams; streams.guard(); import os; "
        f"assert os.open({str(tmp_path / 'run.json')!r}, os.O_WRONLY | os.O_CREAT) > 2"
    )
    for closed in ("1>&-", "0<&- 1>&- 2>&-"):
        assert shell(f'{sys.executable} -c "{code}" {closed}').returncode == 0
