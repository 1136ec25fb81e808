"""The workers of a search: started, watched and started again by the one process that asks.

A worker that dies or is silent too long is reported as lost, and another takes its place. Light.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import EnvironmentFault
from zoo.rundir import Search

SILENCE = 600.0  # Seconds without a sign of life after which a worker hangs.
STARTING = 6  # Times as long may a worker be silent that is not ready yet.
FALSE_STARTS = 3  # In a row, before any of them was ready.
BUILT = 60  # Networks built by a process, each of which leaks some megabytes in TensorFlow.
TAIL = 2000  # Characters of a log that are shown.

Message = dict[str, Any]


def gpus() -> list[str]:
    """The GPUs that workers may be given, as CUDA numbers them; none on a machine without."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    asked = [command, "--query-gpu=index", "--format=csv,noheader"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return found.stdout.split()


class Worker:
    """One process and what is known of it."""

    def __init__(self, index: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.index = index
        self.process = process
        self.log = log
        self.buffer = b""
        self.heard = time.monotonic()
        self.ready: Message | None = None
        self.job: Any = None
        self.built = 0

    @property
    def idle(self) -> bool:
        return self.ready is not None and self.job is None

    def send(self, **message: Any) -> None:
        """Sends a message; a worker that is gone is noticed when it is listened to."""
        if self.process.stdin is None:
            return
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self) -> Iterator[Message] | None:
        """What it said; None: it is gone."""
        if self.process.stdout is None:
            return None
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        if not data:
            return None
        *whole, self.buffer = (self.buffer + data).split(b"\n")
        self.heard = time.monotonic()
        return iter([json.loads(line) for line in whole])


class Crew:
    """Workers on the trials of one search.

    Args:
        folder: of the search.
        count: how many.
        overrides: changes of `data.source`, for data that were moved.
        silence: seconds after which a silent worker is ended.
    """

    def __init__(
        self, folder: Search, count: int, overrides: Sequence[str] = (), silence: float = SILENCE
    ) -> None:
        self.folder = folder
        self.overrides = list(overrides)
        self.silence = silence
        self.count = count
        self.devices = gpus()
        self.selector = selectors.DefaultSelector()
        self.workers: list[Worker] = []
        self.false_starts = 0

    def __enter__(self) -> Crew:
        for index in range(self.count):
            self._start(index)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            self._let_go(worker)
        self.workers = []
        self.selector.close()

    def _environment(self, index: int) -> Mapping[str, str]:
        found = dict(os.environ)
        paths = (str(Path(__file__).resolve().parents[2]), found.get("PYTHONPATH", ""))
        found["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        if self.devices:
            found["CUDA_VISIBLE_DEVICES"] = self.devices[index % len(self.devices)]
        elif self.count > 1:
            threads = str(max((os.cpu_count() or 1) // self.count, 1))
            for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
                found.setdefault(name, threads)
        return found

    def _start(self, index: int) -> None:
        log = self.folder.worker_log(index)
        with log.open("ab") as errors:
            process = subprocess.Popen(
                # -P: a folder `tuning` where the user works is not ours.
                [sys.executable, "-P", "-m", "tuning.executors.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environment(index),
                start_new_session=True,  # Ctrl-C is for the search, which ends its workers.
            )
        worker = Worker(index, process, log)
        worker.send(recipe=str(self.folder.recipe_file), overrides=self.overrides)
        if process.stdout is not None:
            self.selector.register(process.stdout, selectors.EVENT_READ, worker)
        self.workers.append(worker)

    def _let_go(self, worker: Worker) -> None:
        if worker.process.stdout is not None:
            self.selector.unregister(worker.process.stdout)
            worker.process.stdout.close()
        if worker.process.stdin is not None:
            with contextlib.suppress(OSError):  # It was gone before it had read all.
                worker.process.stdin.close()
        worker.process.wait()

    def idle(self) -> list[Worker]:
        """The workers that wait for a trial."""
        return [worker for worker in self.workers if worker.idle]

    def wait(self, seconds: float) -> Iterator[tuple[Worker, Message]]:
        """What workers say within some seconds; `{type: lost, reason: ...}` of one that is gone.

        Raises:
            EnvironmentFault: several in a row were gone before they were ready.
        """
        for key, _ in self.selector.select(seconds):
            worker: Worker = key.data
            said = worker.lines()
            if said is None:
                yield worker, {"type": "lost", "reason": self._replace(worker)}
                continue
            for message in said:
                if message["type"] == "ready":
                    worker.ready = message
                    self.false_starts = 0
                worker.built = message.get("built", worker.built)
                yield worker, message
        for worker in list(self.workers):
            limit = self.silence if worker.ready else STARTING * self.silence
            if time.monotonic() - worker.heard > limit and not worker.idle:
                worker.process.kill()
                reason = self._replace(worker, f"was silent for {limit:.0f} s")
                yield worker, {"type": "lost", "reason": reason}

    def refresh(self, worker: Worker) -> None:
        """Starts a worker anew that has built so many networks that its memory has grown."""
        if worker.idle and worker.built > BUILT:
            worker.send(type="stop")
            self._replace(worker)

    def _replace(self, worker: Worker, reason: str = "") -> str:
        """Starts another in its place; says how it ended."""
        self.workers.remove(worker)
        self._let_go(worker)
        code = worker.process.returncode
        ended = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
        reason = reason or ended
        if worker.ready is None:
            self.false_starts += 1
            if self.false_starts >= FALSE_STARTS:
                text = worker.log.read_text(encoding="utf-8", errors="replace")[-TAIL:].strip()
                raise EnvironmentFault(
                    f"workers do not start: the last one {reason}. Its log, {worker.log}, ends:\n"
                    f"{text}"
                )
        self._start(worker.index)
        return reason
