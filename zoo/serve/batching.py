"""Requests that arrive together run together, on one thread.

The thread takes the requests of one group (one function, one shape of input) as soon as they fill
a batch or the oldest has waited long enough. What arrives while it works waits for the next batch,
so under load batches fill by themselves. Knows nothing of TensorFlow or HTTP.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.serve.signature import Array
from zoo.serve.status import StatusError

Arrays = Mapping[str, Array]
Runner = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Limits:
    """Args:
    batch_size: rows in a batch at most; a larger request runs in parts of it.
    timeout: seconds that a request waits for others at most.
    queue: requests that may wait.
    """

    batch_size: int = 64
    timeout: float = 0.001
    queue: int = 256


@dataclass(eq=False)
class _Waiting:
    run: Runner
    inputs: Arrays
    rows: int
    future: asyncio.Future[Arrays]
    loop: asyncio.AbstractEventLoop
    since: float = field(default_factory=time.monotonic)


class Batcher:
    """Runs requests on one thread, together where they fit together.

    Args:
        limits: see there.
        ran: is told the rows of every batch, on the thread.
    """

    def __init__(self, limits: Limits, ran: Callable[[int], None] = lambda rows: None) -> None:
        self.limits = limits
        self._ran = ran
        self._groups: OrderedDict[Hashable, deque[_Waiting]] = OrderedDict()
        self._waiting = 0
        self._expected = 1  # Requests at once, by what was seen last: waiting for more is in vain.
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return self._waiting

    async def submit(self, key: Hashable, run: Runner, inputs: Arrays, together: bool) -> Arrays:
        """What `run` makes of a request's inputs.

        Args:
            key: of the function: requests with equal keys have the same `run`.
            inputs: arrays by name.
            together: whether rows of several requests may be run as one.

        Raises:
            StatusError: the queue is full, or what `run` raised.
        """
        sizes = {array.shape[0] if array.ndim else -1 for array in inputs.values()}
        rows = sizes.pop() if len(sizes) == 1 else -1
        loop = asyncio.get_running_loop()
        together = together and rows > 0
        waiting = _Waiting(run, inputs, rows if together else 1, loop.create_future(), loop)
        if together:
            group: Hashable = (key, *((n, a.dtype, a.shape[1:]) for n, a in inputs.items()))
        else:
            group = waiting
        with self._changed:
            self.require_room()
            self._groups.setdefault(group, deque()).append(waiting)
            self._waiting += 1
            self._changed.notify()
        return await waiting.future

    def require_room(self) -> None:
        """Refuses a request that could not wait.

        Raises:
            StatusError: the queue is full, or closed.
        """
        if self._closed:
            raise StatusError("UNAVAILABLE", "The server is stopping")
        if self._waiting >= self.limits.queue:
            raise StatusError(
                "UNAVAILABLE",
                "The batch scheduling queue to which this task was submitted is full",
            )

    def close(self) -> None:
        """Finishes what waits, and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                batch = self._next()
                while not batch:
                    if self._closed and not self._groups:
                        return
                    self._changed.wait(self._rest())
                    batch = self._next()
            batch = [waiting for waiting in batch if not waiting.future.cancelled()]
            if batch:
                answers = self._run(batch)
                self._expected = len(batch) + self._waiting
                _deliver(batch, answers)
                del answers
            del batch  # Else the last request stays in memory until the next.

    def _next(self) -> list[_Waiting]:
        """Takes the requests of the next batch out of the queue; none where none is ripe."""
        now = time.monotonic()
        for key, group in self._groups.items():
            rows = sum(waiting.rows for waiting in group)
            alone = key is group[0]
            full = rows >= self.limits.batch_size or self._waiting >= self._expected
            old = now - group[0].since >= self.limits.timeout
            if not (alone or full or old or self._closed):
                continue
            batch = [group.popleft()]
            rows = batch[0].rows
            while group and rows + group[0].rows <= self.limits.batch_size:
                rows += group[0].rows
                batch.append(group.popleft())
            if group:
                self._groups.move_to_end(key)  # The others first.
            else:
                del self._groups[key]
            self._waiting -= len(batch)
            return batch
        return []

    def _rest(self) -> float | None:
        """Seconds until the oldest request has waited long enough."""
        if not self._groups:
            return None
        oldest = min(group[0].since for group in self._groups.values())
        return max(0.0, oldest + self.limits.timeout - time.monotonic())

    def _run(self, batch: list[_Waiting]) -> list[Any]:
        """An answer or an exception for each request."""
        if len(batch) == 1:
            return [self._alone(batch[0])]
        inputs = {
            name: np.concatenate([waiting.inputs[name] for waiting in batch])
            for name in batch[0].inputs
        }
        try:
            rows = sum(waiting.rows for waiting in batch)
            outputs = batch[0].run(inputs)
            self._ran(rows)
            if any(array.shape[:1] != (rows,) for array in outputs.values()):
                raise ValueError("the outputs are not those of the rows")
        except Exception:  # Whatever it is, it may be one request's fault.
            return [self._alone(waiting) for waiting in batch]
        answers = []
        start = 0
        for waiting in batch:
            stop = start + waiting.rows
            answers.append({name: array[start:stop] for name, array in outputs.items()})
            start = stop
        return answers

    def _alone(self, waiting: _Waiting) -> Any:
        try:
            if waiting.rows > self.limits.batch_size:
                return self._in_parts(waiting)
            answer = waiting.run(waiting.inputs)
            self._ran(waiting.rows)
        except Exception as error:  # It is the client's answer.
            return error
        return answer

    def _in_parts(self, waiting: _Waiting) -> Arrays:
        size = self.limits.batch_size
        parts = []
        for start in range(0, waiting.rows, size):
            part = {name: array[start : start + size] for name, array in waiting.inputs.items()}
            answer = waiting.run(part)
            rows = min(size, waiting.rows - start)
            self._ran(rows)
            if any(array.shape[:1] != (rows,) for array in answer.values()):
                return waiting.run(waiting.inputs)  # It makes something else of a batch.
            parts.append(answer)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _deliver(batch: list[_Waiting], answers: list[Any]) -> None:
    """Gives the answers to those who wait, each on its own loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Arrays], Any]]] = {}
    for waiting, answer in zip(batch, answers, strict=True):
        loops.setdefault(waiting.loop, []).append((waiting.future, answer))
    for loop, pairs in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, pairs)
        except RuntimeError:  # The loop is closed: nobody waits any more.
            continue


def _resolve(pairs: list[tuple[asyncio.Future[Arrays], Any]]) -> None:
    for future, answer in pairs:
        if future.done():
            continue  # Whoever asked has gone.
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
