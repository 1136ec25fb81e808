"""Requests that arrive together run together, on one thread.

The thread takes the requests of one group (one function, one shape of input) as soon as they fill
a batch or the oldest has waited long enough. What arrives while it works waits for the next batch,
so under load batches fill by themselves. A request larger than a batch takes its turn part after
part, so that others run in between. Knows nothing of TensorFlow or HTTP.
"""

from __future__ import annotations

import asyncio
import math
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
Scheduler = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class BatchLimits:
    """Args:
    batch_size: rows in a batch at most; a larger request runs in parts of it.
    timeout: seconds that a request waits for others at most.
    queue: requests that may wait.
    weight: of a batch's rows together at most; a row that weighs more runs for all that.
    """

    batch_size: int = 64
    timeout: float = 0.001
    queue: int = 256
    weight: float = math.inf


@dataclass(eq=False)
class _Waiting:
    """A request, of which the rows from `start` to `stop` are next.

    Args:
        run: what makes outputs of inputs.
        inputs: of the whole request.
        total: of its rows; 1 where they cannot be told.
        weights: of its rows, each summed with those before it.
        limits: of a part.
        future: gets the answer.
        loop: of the future.
    """

    run: Scheduler
    inputs: Arrays
    total: int
    weights: Array | None
    limits: BatchLimits
    future: asyncio.Future[Arrays]
    loop: asyncio.AbstractEventLoop
    group: Hashable = None
    start: int = 0
    stop: int = 0
    weight: float = 0.0
    answers: list[Arrays] = field(default_factory=list)
    since: float = 0.0

    def __post_init__(self) -> None:
        self._cut()

    @property
    def rows(self) -> int:
        """Of the next part."""
        return self.stop - self.start

    @property
    def whole(self) -> bool:
        """Whether the next part is all there is."""
        return self.rows == self.total

    def part(self) -> Arrays:
        """The inputs of the next part."""
        if self.whole:
            return self.inputs
        return {name: array[self.start : self.stop] for name, array in self.inputs.items()}

    def take(self, answer: Arrays) -> Arrays | None:
        """Moves on to the next part; gives the answer to all of them after the last."""
        if self.whole:
            return answer
        self.answers.append(answer)
        self.start = self.stop
        if self.start == self.total:
            try:
                names = self.answers[0]
                return {name: np.concatenate([of[name] for of in self.answers]) for name in names}
            except ValueError:  # Rows are as wide as the widest among those that run together.
                return self.run(self.inputs)
        self._cut()
        return None

    def _cut(self) -> None:
        self.since = time.monotonic()
        size = self.limits.batch_size
        most = min(self.total, self.start + size)
        self.stop = most
        if self.weights is None:
            return
        before = self.weights[self.start - 1] if self.start else 0
        fits = np.searchsorted(self.weights, before + self.limits.weight, "right")
        # Of one row alone, outputs look right even where a function makes one sum of a batch.
        least = self.start + (1 if self.start else 2)
        self.stop = min(most, max(least, int(fits)))
        self.weight = float(self.weights[self.stop - 1] - before)


class Batcher:
    """Runs requests on one thread, together where they fit together.

    Args:
        limits: see there.
        ran: is told the rows of every batch, on the thread.
    """

    def __init__(self, limits: BatchLimits, ran: Callable[[int], None] = lambda rows: None) -> None:
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

    async def submit(
        self,
        key: Hashable,
        run: Scheduler,
        inputs: Arrays,
        together: bool,
        weights: Array | None = None,
    ) -> Arrays:
        """What `run` makes of a request's inputs.

        Args:
            key: of the function: requests with equal keys have the same `run`.
            inputs: arrays by name.
            together: whether rows of several requests may be run as one.
            weights: of the rows, where they differ.

        Raises:
            StatusError: the queue is full, or what `run` raised.
        """
        sizes = {array.shape[0] if array.ndim else -1 for array in inputs.values()}
        rows = sizes.pop() if len(sizes) == 1 else -1
        loop = asyncio.get_running_loop()
        together = together and rows > 0
        waiting = _Waiting(
            run,
            inputs,
            rows if together else 1,
            np.cumsum(weights) if together and weights is not None else None,
            self.limits,
            loop.create_future(),
            loop,
        )
        if together:
            waiting.group = (key, *((n, a.dtype, a.shape[1:]) for n, a in inputs.items()))
        with self._changed:
            self.require_room()
            self._put(waiting)
            self._changed.notify()
        return await waiting.future

    def _put(self, waiting: _Waiting) -> None:
        group = waiting if waiting.group is None else waiting.group
        self._groups.setdefault(group, deque()).append(waiting)
        self._waiting += 1

    def _put_back(self, batch: list[_Waiting], answers: list[Any]) -> None:
        """Lines up what has parts left, behind those who came meanwhile, however many wait."""
        with self._changed:
            for waiting, answer in zip(batch, answers, strict=True):
                if answer is None and not waiting.future.cancelled():
                    self._put(waiting)

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
                self._put_back(batch, answers)
                del answers
            del batch  # Else the last request stays in memory until the next.

    def _next(self) -> list[_Waiting]:
        """Takes the requests of the next batch out of the queue; none where none is ripe."""
        now = time.monotonic()
        for key, group in self._groups.items():
            rows = sum(waiting.rows for waiting in group)
            weight = sum(waiting.weight for waiting in group)
            alone = key is group[0]
            full = rows >= self.limits.batch_size or weight >= self.limits.weight
            ripe = full or self._waiting >= self._expected
            old = now - group[0].since >= self.limits.timeout
            if not (alone or ripe or old or self._closed):
                continue
            batch = [group.popleft()]
            rows, weight = batch[0].rows, batch[0].weight
            while group:
                rows, weight = rows + group[0].rows, weight + group[0].weight
                if rows > self.limits.batch_size or weight > self.limits.weight:
                    break
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
        """An answer or an exception for each request; None where parts of it are left."""
        if len(batch) == 1:
            return [self._alone(batch[0])]
        parts = [waiting.part() for waiting in batch]
        inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        try:
            rows = sum(waiting.rows for waiting in batch)
            outputs = batch[0].run(inputs)
            self._ran(rows)
            if not _by_row(outputs, rows):
                raise ValueError("the outputs are not those of the rows")
        except Exception:  # Whatever it is, it may be one request's fault.
            return [self._alone(waiting) for waiting in batch]
        answers = []
        start = 0
        for waiting in batch:
            stop = start + waiting.rows
            answer = {name: array[start:stop] for name, array in outputs.items()}
            answers.append(_taken(waiting, answer))
            start = stop
        return answers

    def _alone(self, waiting: _Waiting) -> Any:
        try:
            answer = waiting.run(waiting.part())
            self._ran(waiting.rows)
            if not waiting.whole and not _by_row(answer, waiting.rows):
                return waiting.run(waiting.inputs)  # It makes something else of a batch.
        except Exception as error:  # It is the client's answer.
            return error
        return _taken(waiting, answer)


def _taken(waiting: _Waiting, answer: Arrays) -> Any:
    try:
        return waiting.take(answer)
    except Exception as error:
        return error


def _by_row(outputs: Arrays, rows: int) -> bool:
    return all(array.shape[:1] == (rows,) for array in outputs.values())


def _deliver(batch: list[_Waiting], answers: list[Any]) -> None:
    """Gives the answers that there are to those who wait, each on its own loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Arrays], Any]]] = {}
    for waiting, answer in zip(batch, answers, strict=True):
        if answer is None:
            continue
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
