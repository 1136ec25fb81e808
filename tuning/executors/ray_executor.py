"""Executor of Ray actors, on the hosts of a cluster. Light until it starts.

Ray restarts no actor and runs no task again: the scheduler alone decides what becomes of a lost
trial. An actor that hangs raises no error, so the rule of silence holds here as in the local pool.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.executors import ray_cluster
from tuning.executors.base import Event, Kept, Ready
from tuning.executors.messages import Command, Keep, Reply, decode, encode
from tuning.executors.pool import SILENCE_SECONDS, Pool, Worker
from tuning.executors.ray_cluster import Demand
from tuning.executors.ray_worker import TrialWorker, unpack
from tuning.trials import TrialSpec
from zoo.errors import EnvironmentFault
from zoo.files.storage import fault_of
from zoo.plugins import permission
from zoo.rundir import Search

if TYPE_CHECKING:
    from zoo.datasets.splits import Splits

CLOSE_SECONDS = 2.0  # For an actor to remove its files.
REPLY_SECONDS = 30.0  # An actor answers after this time even if it has nothing to say.
# Ray's error -> how an actor ended, for the user.
ENDINGS = {
    "ActorDiedError": "its process died",
    "ActorUnavailableError": "its node is out of reach",
    "NodeDiedError": "its node died",
    "OutOfMemoryError": "its node was out of memory",
    "RuntimeEnvSetupError": "its node could not unpack our code",
}
FIRST_WORD_SECONDS = 30.0  # Until a line says which workers are still not there.
LOG_LINES = 12  # Of Ray's account of a lost actor in an error message.


class _Actor(Worker):
    """An actor, and the one call of it that is under way."""

    def __init__(self, index: int, handle: Any) -> None:
        super().__init__(index, exists=False)
        self.handle = handle
        self.pending = handle.host.remote()
        self.host = ""
        self.ending = "was ended"
        self.account: list[str] = []
        self._kept: Path | None = None

    def send(self, command: Command) -> None:
        """Sends a command; an actor that has died is noticed when its replies are read."""
        if isinstance(command, Keep):
            self._kept = Path(command.folder)
        self.handle.command.remote(encode(command))
        self.last_exchange = time.monotonic()

    def replies(self) -> list[Reply] | None:
        """Reads what it has sent, and asks for more; None if it has died.

        Raises:
            StorageFault: a run folder that it sent cannot be written here.
        """
        import ray

        try:
            answer = ray.get(self.pending)
        except ray.exceptions.RayError as error:
            self.account = str(error).strip().splitlines()
            self.ending = ENDINGS.get(type(error).__name__, type(error).__name__)
            return None
        if not self.exists:
            self.exists, self.host, answer = True, answer, []
            self.last_exchange = time.monotonic()
        self.pending = self.handle.replies.remote(REPLY_SECONDS)
        return [self._received(decode(line), files) for line, files in answer]

    def _received(self, reply: Reply, files: bytes) -> Reply:
        if isinstance(reply, Kept) and self._kept is not None:
            try:
                unpack(files, self._kept)
            except OSError as error:
                raise fault_of(error) or error from error
        return reply


class RayExecutor(Pool[_Actor]):
    """Runs trials in actors of a Ray cluster.

    Args:
        folder: the search's folder.
        capacity: number of actors; those that the cluster has no place for yet wait for nodes.
        where: `ray` or `ray://HOST:PORT`.
        demand: what each actor needs.
        load: returns the decoded images of the recipe, which go to each node once; None if the
            nodes are to read them from a disk that they share.
        overrides: where data and parts of the user's own are, if they were moved.
        silence: seconds without a message after which a busy worker counts as hung.
        say: called with each remark for the user.
    """

    def __init__(
        self,
        folder: Search,
        capacity: int,
        *,
        where: str,
        demand: Demand,
        load: Callable[[], Splits | None],
        overrides: Sequence[str] = (),
        silence: float = SILENCE_SECONDS,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(capacity, silence)
        self._folder = folder
        self._where = where
        self._demand = demand
        self._load = load
        self._overrides = list(overrides)
        self._say = say
        self._data: Any = None
        self._actor: Any = None
        self._missing_since = time.monotonic()  # Since then not all workers are ready.
        self._next_word = FIRST_WORD_SECONDS

    def start(self) -> None:
        """Connects with the cluster, sends the data and starts the actors.

        Raises:
            EnvironmentFault: there is no cluster, or its nodes lack packages.
            DataError: the data cannot be read.
        """
        data = self._load()
        for line in ray_cluster.connect(self._where, self._demand):
            self._say(line)
        import ray

        try:
            for line in (
                *ray_cluster.inspect_nodes(),
                *ray_cluster.remarks(self._demand, self.capacity),
            ):
                self._say(line)
            self._data = None if data is None else ray.put(data)
            self._actor = ray.remote(TrialWorker).options(
                num_cpus=self._demand.cpus,
                num_gpus=self._demand.gpus,
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=4,
            )
            for index in range(self.capacity):
                self._start_worker(index)
            self._missing_since = time.monotonic()
        except BaseException:
            ray_cluster.disconnect()
            raise

    def stop(self) -> None:
        """Ends the connection; Ray then ends all actors."""
        import ray

        # A lost connection is what ends some searches; it must not hide the error that says so.
        with contextlib.suppress(ConnectionError, ray.exceptions.RayError):
            if ray.is_initialized():
                closing = [each.handle.close.remote() for each in self._workers if each.exists]
                if closing:
                    ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
        self._workers = []
        self._data = None
        ray_cluster.disconnect()

    def events(self, timeout: float) -> Iterator[Event]:
        """Yields what has happened; waits up to `timeout` seconds for the first event.

        Raises:
            EnvironmentFault: several workers in a row died before they were ready, or the
                connection with the cluster is lost.
            StorageFault: a run folder cannot be written.
        """
        with self._connected():
            yield from self._events(timeout)

    def submit(self, spec: TrialSpec) -> None:
        """See `Pool.submit`.

        Raises:
            EnvironmentFault: the connection with the cluster is lost.
        """
        with self._connected():
            super().submit(spec)

    def keep(self, trial: str, folder: Path) -> None:
        """See `Pool.keep`.

        Raises:
            EnvironmentFault: the connection with the cluster is lost.
        """
        with self._connected():
            super().keep(trial, folder)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        """Turns the errors of a lost connection into one sentence: any call of Ray may raise them.

        Raises:
            EnvironmentFault: the connection is lost.
        """
        import ray

        try:
            yield
        except (ConnectionError, ray.exceptions.RaySystemError) as error:
            raise EnvironmentFault(
                f"the connection with the Ray cluster is lost: {error}. What is finished is kept; "
                f"go on with zoo tune --resume {self._folder} --on {self._where}"
            ) from None

    def _events(self, timeout: float) -> Iterator[Event]:
        import ray

        yield from self._starts()
        waiting = {worker.pending: worker for worker in self._workers}
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=timeout)
        if done:
            done, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for reference in done:
            worker = waiting[reference]
            replies = worker.replies()
            if replies is None:
                yield self._replace(worker)
                continue
            yield from self._events_of(worker, replies)
            if any(isinstance(reply, Ready) for reply in replies) and self._is_told(self.ready):
                self._say(f"workers   {self.ready} of {self.capacity} are ready")
        yield from self._hung()
        self._tell_missing()

    def _tell_missing(self) -> None:
        """Says which workers are not there, after half a minute, a minute, two, and so on."""
        now = time.monotonic()
        if self.ready == self.capacity:
            self._missing_since = now
            self._next_word = FIRST_WORD_SECONDS
        elif now - self._missing_since >= self._next_word:
            self._next_word *= 2
            waiting = sum(not worker.exists for worker in self._workers)
            loading = self.capacity - self.ready - waiting
            parts = [f"{loading} load the data"] if loading else []
            if waiting:
                parts.append(f"{waiting} wait for room or start ({ray_cluster.room(self._demand)})")
            line = f"workers   {self.ready} of {self.capacity} are ready; {', '.join(parts)}"
            self._say(line)

    def _is_told(self, count: int) -> bool:
        """Whether a number of workers is worth a line: 1, 2, 5, 10, 20, ... and all of them."""
        return count == self.capacity or str(count).rstrip("0") in ("1", "2", "5")

    def _start_worker(self, index: int) -> None:
        """Starts an actor; it may have to wait for a node."""
        recipe = self._folder.recipe_file.read_text(encoding="utf-8")
        handle = self._actor.remote(
            recipe, self._overrides, self._data, self.heartbeat, permission.texts()
        )
        self._workers.append(_Actor(index, handle))

    def _end(self, worker: _Actor, *, kill: bool) -> str:
        import ray

        if worker.idle and not kill:
            # It has built many networks: its files on the node go with it.
            ray.wait([worker.handle.close.remote()], timeout=CLOSE_SECONDS)
        # Ray kills an actor that is thought lost, too: its host may only be out of reach.
        ray.kill(worker.handle, no_restart=True)
        return worker.ending

    def _log_of(self, worker: _Actor) -> tuple[str, list[str]]:
        return "as Ray tells it", worker.account[-LOG_LINES:]


def shippable(data: Splits) -> Splits | None:
    """Returns splits whose images can be sent to other hosts; None if they are read from files.

    Arrays that are mapped from the cache become plain views, which Ray stores without a copy in
    each worker.
    """
    import numpy as np

    from zoo.datasets.splits import ArraySplit

    def plain(split: Any) -> Any:
        return replace(split, pixels=np.asarray(split.pixels).view(np.ndarray))

    if not all(isinstance(split, ArraySplit) for split in (data.train, data.validation)):
        return None
    return replace(data, train=plain(data.train), validation=plain(data.validation), test=None)


__all__ = ["Demand", "RayExecutor", "shippable"]
