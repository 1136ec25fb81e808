"""Executor of worker processes on this machine. Light."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tuning.executors.base import Event
from tuning.executors.gpu_sharing import GpuSharing
from tuning.executors.messages import Command, Reply, Setup, decode, encode
from tuning.executors.pool import SILENCE_SECONDS, Pool, Worker
from zoo.plugins import permission
from zoo.rundir import Search

SHARE_OF_GPU = 0.9  # Of a GPU's memory, for all workers that share it.
LOG_TAIL = 2000  # Characters of a worker's log in an error message.


def gpus() -> list[str]:
    """The GPUs to run workers on, as CUDA numbers them; none on a machine without."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, "--query-gpu=index", "--format=csv,noheader"]
    try:
        listing = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return listing.stdout.split()


class _Process(Worker):
    """A worker process with its pipes."""

    def __init__(self, index: int, process: subprocess.Popen[bytes], log: Path) -> None:
        super().__init__(index)
        self.process = process
        self.log = log
        self._partial_line = b""

    def send(self, command: Command) -> None:
        """Sends a command; a worker that has died is noticed when its replies are read."""
        if self.process.stdin is None:
            return
        with contextlib.suppress(OSError):
            self.process.stdin.write(encode(command))
            self.process.stdin.flush()
        self.last_exchange = time.monotonic()

    def replies(self) -> list[Reply] | None:
        """Reads what it has sent; None if it has died."""
        if self.process.stdout is None:
            return None
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        self.last_exchange = time.monotonic()
        return [decode(line) for line in lines]


class LocalExecutor(Pool[_Process]):
    """Runs trials in processes on this machine.

    Args:
        folder: the search's folder, for its recipe and the workers' logs.
        capacity: number of workers.
        overrides: where data and parts of the user's own are, if they were moved.
        silence: seconds without a message after which a busy worker counts as hung.
    """

    def __init__(
        self,
        folder: Search,
        capacity: int,
        overrides: Sequence[str] = (),
        silence: float = SILENCE_SECONDS,
    ) -> None:
        super().__init__(capacity, silence)
        self._folder = folder
        self._overrides = list(overrides)
        self._gpus = gpus()
        self._sharing = GpuSharing()
        self._shared: Mapping[str, str] = {}  # Environment variables of workers on a shared GPU.
        self._selector = selectors.DefaultSelector()

    def start(self) -> None:
        """Starts the processes."""
        if self._workers_of_gpu > 1:
            self._shared = self._sharing.start()
        for index in range(self.capacity):
            self._start_worker(index)

    def stop(self) -> None:
        """Kills the processes."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            self._close(worker)
        self._workers = []
        self._selector.close()
        self._sharing.stop()

    @property
    def _workers_of_gpu(self) -> int:
        """The most workers that share one GPU; 0 on a machine without."""
        return -(-self.capacity // len(self._gpus)) if self._gpus else 0

    def events(self, timeout: float) -> Iterator[Event]:
        """Yields what has happened; waits up to `timeout` seconds for the first event.

        Raises:
            EnvironmentFault: several workers in a row died before they were ready.
        """
        yield from self._starts()
        for key, _ in self._selector.select(timeout):
            worker: _Process = key.data
            replies = worker.replies()
            if replies is None:
                yield self._replace(worker)
            else:
                yield from self._events_of(worker, replies)
        yield from self._hung()

    def _start_worker(self, index: int) -> None:
        """Starts a process."""
        log = self._folder.worker_log(index)
        with log.open("ab") as errors:
            process = subprocess.Popen(
                # -P: a folder `tuning` in the user's working directory is not ours.
                [sys.executable, "-P", "-m", "tuning.executors.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environment(index),
                start_new_session=True,  # Ctrl-C reaches the search, which ends its workers.
            )
        worker = _Process(index, process, log)
        recipe = str(self._folder.recipe_file)
        setup = Setup(
            recipe=recipe, overrides=self._overrides, heartbeat=self.heartbeat,
            plugins=permission.texts(),
        )  # fmt: skip
        worker.send(setup)
        if process.stdout is not None:
            self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        self._workers.append(worker)

    def _environment(self, index: int) -> Mapping[str, str]:
        """Environment variables of a worker: its GPU, or its share of the CPU's threads.

        Workers of one GPU share its memory: by default JAX and TensorFlow would each take most of
        it.
        """
        environment = dict(os.environ)
        paths = (str(Path(__file__).resolve().parents[2]), environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[index % len(self._gpus)]
            environment |= self._shared
            if self._workers_of_gpu > 1:
                share = f"{SHARE_OF_GPU / self._workers_of_gpu:.4f}"
                environment.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", share)
                environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        elif self.capacity > 1:
            threads = str(max((os.cpu_count() or 1) // self.capacity, 1))
            for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
                environment.setdefault(name, threads)
        return environment

    def _close(self, worker: _Process) -> None:
        """Closes the pipes of a worker and waits for its end."""
        if worker.process.stdout is not None:
            self._selector.unregister(worker.process.stdout)
            worker.process.stdout.close()
        if worker.process.stdin is not None:
            with contextlib.suppress(OSError):  # The worker died before it had read all.
                worker.process.stdin.close()
        worker.process.wait()

    def _end(self, worker: _Process, *, kill: bool) -> str:
        if kill:
            worker.process.kill()
        self._close(worker)
        code = worker.process.returncode
        return f"killed by signal {-code}" if code < 0 else f"ended with code {code}"

    def _log_of(self, worker: _Process) -> tuple[str, list[str]]:
        text = worker.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]
        return str(worker.log), text.strip().splitlines()
