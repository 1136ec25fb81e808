"""A small process that watches over one that trains with others, and says how it ended. Light.

JAX's runtime aborts a process as soon as a peer is lost or frozen: from C++, with a log of C++ and
code 134, where Python can say nothing. So `zoo train` forks before anything heavy is imported. The
child trains. The parent passes signals on, waits, and turns an abort into one sentence and the exit
code of a lost peer.

The child reads a byte from the parent every second. It ends where these stop: a parent that was
killed or frozen must not leave a training behind that nobody can stop. What libraries in C++ print
goes to a file that is shown only if the child crashes for a reason of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from zoo.errors import EnvironmentFault, PeerLost, Problem
from zoo.files.streams import GuardedStream

BEAT_SECONDS = 1.0
WORD_SECONDS = 30.0  # Until a process that waits for others says so.
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOST_READ = 40_000  # Characters of what a crashed child's libraries printed, from the end.
LINES_SHOWN = 20
# What JAX's last words say where another process, not this one, is at fault.
LAST_WORDS = "JAX distributed service detected fatal errors"

_to_parent: int | None = None
_own_streams: tuple[int, int] | None = None
_news: dict[str, Any] = {}


def supervise(name: str, heartbeat: int, start_seconds: int) -> None:
    """Forks: returns in the child, which trains. The parent waits and never returns.

    Args:
        name: the process in a sentence.
        heartbeat: seconds without a byte of the parent after which the child ends.
        start_seconds: how long processes wait for each other at the start, for the message.

    Raises:
        SystemExit: in the parent: the child's exit code.
        PeerLost: in the parent: the child was aborted, as another process was lost or froze.
        EnvironmentFault: in the parent: the child was killed or crashed.
    """
    beats_read, beats_write = os.pipe()
    news_read, news_write = os.pipe()
    held_back = tempfile.TemporaryFile()  # noqa: SIM115  Both processes keep it open.
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(beats_write)
        os.close(news_read)
        _become_child(beats_read, news_write, heartbeat, held_back)
        return
    os.close(beats_read)
    os.close(news_write)
    parent = _Parent(child, beats_write, news_read)
    status = parent.wait(f"{name} still waits for the others, {start_seconds} s at most")
    _end(status, _news, name, heartbeat, start_seconds, held_back)


def _become_child(beats: int, news: int, heartbeat: int, held_back: IO[bytes]) -> None:
    global _to_parent
    _to_parent = news
    os.setpgid(0, 0)  # Ctrl-C at a terminal reaches the parent alone, which passes it on.
    threading.Thread(target=_watch_parent, args=(beats, heartbeat), daemon=True).start()
    if not os.environ.get("ZOO_VERBOSE_START"):
        _hold_back(held_back)


def _watch_parent(beats: int, heartbeat: int) -> None:
    """Ends this process once the parent is dead, or silent for too long."""
    while True:
        ready, _, _ = select.select([beats], [], [], heartbeat)
        if not ready or not os.read(beats, 4096):
            os._exit(PeerLost.exit_code)


def _hold_back(file: IO[bytes]) -> None:
    """Sends what libraries print to a file; Python's own streams stay where they were."""
    global _own_streams
    _own_streams = (os.dup(1), os.dup(2))
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = open(  # noqa: SIM115
            _own_streams[number - 1], "w", encoding="utf-8", errors="replace", closefd=False,
            buffering=1,
        )  # fmt: skip
        setattr(sys, name, GuardedStream(stream))
        os.dup2(file.fileno(), number)


def release_streams() -> None:
    """Lets libraries print where they did before; for what comes after the training."""
    global _own_streams
    if _own_streams is None:
        return
    flush()
    for number, own in enumerate(_own_streams, 1):
        os.dup2(own, number)
    _own_streams = None


def flush() -> None:
    """Writes out what Python has buffered."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def tell(**news: Any) -> None:
    """Tells the parent what it needs to report an abort; without a parent, nothing happens.

    Args:
        news: `phase`; `resume`, the command; `word`, why another process ended;
            `scratch`, a folder that the parent removes at the end.
    """
    if _to_parent is not None:
        with contextlib.suppress(OSError):
            os.write(_to_parent, json.dumps(news).encode() + b"\n")
    _news.update(news)


def advice() -> str:
    """Returns what to do after a process was lost, given the last call of `tell`."""
    return _advice(_news)


def _advice(news: Mapping[str, Any]) -> str:
    if news.get("resume"):
        return f"What was saved is kept. Resume, in every process, with: {news['resume']}"
    return "Nothing was trained yet. Start all processes again."


class _Parent:
    """The parent's wait for its child.

    Args:
        child: its process id.
        beats: pipe on which it is told that the parent lives.
        news: pipe on which it tells what it does.
    """

    def __init__(self, child: int, beats: int, news: int) -> None:
        self.child = child
        self.beats = beats
        self.news = news

    def wait(self, word: str) -> int:
        """Waits for the child's end; returns its status as `waitstatus_to_exitcode` does.

        Args:
            word: is printed once if the processes take long to meet.
        """
        for number in FORWARDED:
            signal.signal(number, self._forward)
        text = b""
        told_at = time.monotonic() + WORD_SECONDS
        while True:
            if time.monotonic() >= told_at:
                told_at = float("inf")
                if not _news.get("phase"):
                    print(word, file=sys.stderr, flush=True)
            with contextlib.suppress(OSError):  # The child has ended.
                os.write(self.beats, b".")
            ready, _, _ = select.select([self.news], [], [], BEAT_SECONDS)
            if not ready:
                continue
            piece = os.read(self.news, 65536)
            text += piece
            *lines, text = text.split(b"\n")
            for line in lines:
                _news.update(json.loads(line))
            if not piece:
                _, status = os.waitpid(self.child, 0)
                return os.waitstatus_to_exitcode(status)

    def _forward(self, number: int, frame: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child, number)


def _end(
    status: int,
    news: Mapping[str, Any],
    name: str,
    heartbeat: int,
    start_seconds: int,
    held_back: IO[bytes],
) -> NoReturn:
    """Ends the parent as the child ended.

    Args:
        status: of the child: an exit code, or a signal's number, negative.
        news: what the child told.
        name: the process in a sentence.
        heartbeat: seconds.
        start_seconds: seconds.
        held_back: what the child's libraries printed.
    """
    if news.get("scratch"):
        shutil.rmtree(news["scratch"], ignore_errors=True)
    if status >= 0:
        raise SystemExit(status)
    number = signal.Signals(-status)
    if number in FORWARDED:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    printed = _tail(held_back)
    # Nothing is held back while Keras is imported, which mutes stderr, or if the user wants it so.
    if number == signal.SIGABRT and (LAST_WORDS in printed or not printed.strip()):
        if not news.get("phase"):
            raise PeerLost(
                f"{name}: the processes did not all meet within {start_seconds} seconds, or one of "
                "them ended. Expected all of them to be started with the same --coordinator (or "
                "launcher) and --num-processes, and the coordinator's port to be reachable."
            )
        reason = news.get("word") or (
            f"another process was lost, or gave no sign of life for {heartbeat} seconds"
        )
        raise PeerLost(f"{name}: {reason}; without it no other goes on. {_advice(news)}")
    memory = ", perhaps for want of memory" if number == signal.SIGKILL else ""
    shown = [] if number == signal.SIGKILL else printed.splitlines()[-LINES_SHOWN:]
    raise EnvironmentFault(
        f"{name}: was ended by {number.name}{memory}. {_advice(news)}",
        [Problem(message=line) for line in shown],
    )


def _tail(file: IO[bytes]) -> str:
    """The end of what was printed into a file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MOST_READ))
    return file.read().decode(errors="replace")
