"""Executor of worker processes on this machine; a worker that dies or hangs is replaced. Light."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tuning.executors.base import Event, Executor, Finished, Lost, Progress, Ready, Started
from tuning.executors.gpu_sharing import GpuSharing
from tuning.executors.messages import Alive, Command, Keep, Reply, Run, Setup, Stop, decode, encode
from tuning.trials import TrialSpec
from zoo.errors import EnvironmentFault, Problem
from zoo.rundir import Search

SILENCE_SECONDS = 600.0  # A busy worker that is silent for longer counts as hung.
STARTUP_FACTOR = 6  # A worker that is not ready yet may be silent this many times as long.
MAX_FAILED_STARTS = 3  # In a row.
MAX_NETWORKS = 60  # Per process: TensorFlow leaks some megabytes with each.
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


class _Worker:
    """A worker process and its state.

    Attributes:
        last_exchange: monotonic time of the last message to or from it.
        ready: whether it has loaded the data.
        trial: the trial that it runs or keeps; None if it does neither.
        last_trial: the trial whose model it holds.
        networks: number of networks that it has built.
    """

    def __init__(self, index: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.index = index
        self.process = process
        self.log = log
        self.last_exchange = time.monotonic()
        self.ready = False
        self.trial: str | None = None
        self.last_trial: str | None = None
        self.networks = 0
        self._partial_line = b""

    @property
    def idle(self) -> bool:
        """Whether it is ready and runs nothing."""
        return self.ready and self.trial is None

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

    def note(self, reply: Reply) -> None:
        """Updates the worker's state from a reply."""
        match reply:
            case Ready():
                self.ready = True
            case Finished():
                self.networks = reply.networks
                self.trial = None
            case Alive() | Progress():
                pass
            case _:
                self.trial = None


class LocalExecutor(Executor):
    """Runs trials in processes on this machine.

    Args:
        folder: the search's folder, for its recipe and the workers' logs.
        capacity: number of workers.
        overrides: changes of `data.source`, if the data were moved.
        silence: seconds without a message after which a busy worker counts as hung.
    """

    def __init__(
        self,
        folder: Search,
        capacity: int,
        overrides: Sequence[str] = (),
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self.capacity = capacity
        self._folder = folder
        self._overrides = list(overrides)
        self._silence = silence
        self._gpus = gpus()
        self._sharing = GpuSharing()
        self._shared: Mapping[str, str] = {}  # Environment variables of workers on a shared GPU.
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._started: deque[Started] = deque()
        self._failed_starts = 0

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

    @property
    def free(self) -> int:
        """Number of workers that are ready and run nothing."""
        return sum(worker.idle for worker in self._workers)

    def submit(self, spec: TrialSpec) -> None:
        """Gives a trial to the first free worker.

        Raises:
            RuntimeError: no worker is free.
        """
        worker = next((worker for worker in self._workers if worker.idle), None)
        if worker is None:
            raise RuntimeError(f"no worker is free for trial {spec.trial}")
        worker.trial = worker.last_trial = spec.trial
        worker.send(Run(spec=spec))
        self._started.append(Started(trial=spec.trial))

    def keep(self, trial: str, folder: Path) -> None:
        """Lets the worker of a finished trial write its run folder.

        Raises:
            RuntimeError: no free worker holds the trial.
        """
        holders = [worker for worker in self._workers if worker.idle and worker.last_trial == trial]
        if not holders:
            raise RuntimeError(f"no worker holds trial {trial}")
        holders[0].trial = trial
        holders[0].send(Keep(folder=str(folder)))

    def events(self, timeout: float) -> Iterator[Event]:
        """Yields what has happened; waits up to `timeout` seconds for the first event.

        Raises:
            EnvironmentFault: several workers in a row died before they were ready.
        """
        while self._started:
            yield self._started.popleft()
        for key, _ in self._selector.select(timeout):
            worker: _Worker = key.data
            replies = worker.replies()
            if replies is None:
                yield self._replace(worker)
                continue
            for reply in replies:
                worker.note(reply)
                if isinstance(reply, Ready):
                    self._failed_starts = 0
                if not isinstance(reply, Alive):
                    yield reply
            # The caller has decided by now whether the last trial is kept.
            if worker.idle and worker.networks > MAX_NETWORKS:
                worker.send(Stop())
                self._replace(worker)
        for worker in list(self._workers):
            limit = self._silence if worker.ready else STARTUP_FACTOR * self._silence
            if time.monotonic() - worker.last_exchange > limit and not worker.idle:
                worker.process.kill()
                yield self._replace(worker, f"was silent for {limit:.0f} s")

    def _start_worker(self, index: int) -> None:
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
        worker = _Worker(index, process, log)
        worker.send(Setup(recipe=str(self._folder.recipe_file), overrides=self._overrides))
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

    def _close(self, worker: _Worker) -> None:
        """Closes the pipes of a worker and waits for its end."""
        if worker.process.stdout is not None:
            self._selector.unregister(worker.process.stdout)
            worker.process.stdout.close()
        if worker.process.stdin is not None:
            with contextlib.suppress(OSError):  # The worker died before it had read all.
                worker.process.stdin.close()
        worker.process.wait()

    def _replace(self, worker: _Worker, reason: str = "") -> Lost:
        """Starts another worker in a worker's place.

        Raises:
            EnvironmentFault: several workers in a row died before they were ready.
        """
        self._workers.remove(worker)
        self._close(worker)
        code = worker.process.returncode
        reason = reason or (f"killed by signal {-code}" if code < 0 else f"ended with code {code}")
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                log = worker.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip()
                raise EnvironmentFault(
                    f"workers do not start: the last one {reason}. Its log, {worker.log}, ends:",
                    [Problem(message=line) for line in log.splitlines()],
                )
        self._start_worker(worker.index)
        return Lost(worker=str(worker.index), reason=reason, trial=worker.trial)
