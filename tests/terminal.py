"""Runs commands on a terminal that is not there: a process that forks one for each, on a pty.

What all commands import is imported once, as in tests/test_light.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.conftest import ROOT

# Environment variables that say what a terminal can do.
ABOUT_TERMINALS = (
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "GITHUB_ACTIONS", "PY_COLORS",
    "PYTHONIOENCODING", "PYTHONUTF8", "LANG", "LC_ALL", "COLORTERM", "TTY_COMPATIBLE",
)  # fmt: skip
PROBE = r"""
import fcntl, json, os, pty, struct, sys, termios, traceback
import zoo.loading
import rich.progress, rich.status, typer.rich_utils
import zoo.catalogue, zoo.cli.diff_text, zoo.comparison, zoo.new, zoo.plan.capacity, zoo.progress
import zoo.rundir.folds_schema, zoo.rundir.schema, zoo.rundir.search_schema
import zoo.verbs.cleaning_runs, zoo.verbs.listing_runs, zoo.verbs.showing_folder
from zoo.cli import main

zoo.progress.DELAY = 1000  # On a busy machine, quick work may last long.


def command(arguments, encoding):
    # Python chose the kind of its own streams by what they were when it began.
    sys.stdin = open(0, encoding=encoding, closefd=False)
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)
    sys.stderr = open(2, "w", encoding=encoding, closefd=False)
    code = 0
    try:
        sys.argv = ["zoo", *arguments]
        main()
    except SystemExit as ending:
        code = ending.code or 0
    except BaseException:
        traceback.print_exc()
        code = -1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for line in sys.stdin:
    request = json.loads(line)
    read, write = os.pipe()
    if request["width"]:
        pid, master = pty.fork()
    else:
        pid, master = os.fork(), read
    if not pid:
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        if request["width"]:
            size = struct.pack("HHHH", 40, request["width"], 0, 0)
            fcntl.ioctl(1, termios.TIOCSWINSZ, size)
            attributes = termios.tcgetattr(1)
            attributes[1] &= ~termios.OPOST  # Else each line feed gets a carriage return.
            termios.tcsetattr(1, termios.TCSANOW, attributes)
        else:
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (write, 1), (write, 2)):
                os.dup2(source, target)
        os.close(read)
        os.close(write)
        command(request["arguments"], request["encoding"])
    os.close(write)
    output = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # So ends a pty.
            break
        if not part:
            break
        output += part
    for handle in {read, master}:
        os.close(handle)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([code, output.decode(errors="replace")]), flush=True)
"""


@dataclass(frozen=True)
class Terminal:
    """Runs commands, each on a terminal of its own.

    Args:
        process: which forks them.
    """

    process: subprocess.Popen[str]

    def run(
        self,
        *arguments: str,
        width: int | None = 80,
        encoding: str = "utf-8",
        folder: str = str(ROOT),
        **environment: str,
    ) -> tuple[int, str]:
        """Run `zoo ARGUMENTS`; return its exit code and what it printed, both streams together.

        Args:
            arguments: of the command line.
            width: columns of the terminal; None: no terminal, but a pipe.
            encoding: of the streams.
            folder: working directory.
            environment: more variables; TERM is xterm-256color.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {
            "arguments": arguments, "width": width, "encoding": encoding, "folder": folder,
            "environment": {"TERM": "xterm-256color", **environment},
        }  # fmt: skip
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        code, output = json.loads(self.process.stdout.readline())
        return code, output


@contextmanager
def opened() -> Iterator[Terminal]:
    """A fresh interpreter in the checkout that runs commands on terminals."""
    kept = {name: value for name, value in os.environ.items() if name not in ABOUT_TERMINALS}
    with subprocess.Popen(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Terminal(process)
        assert process.stdin is not None
        process.stdin.close()


def without_codes(text: str) -> str:
    """Text without colours and other styles, as a reader sees it."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
