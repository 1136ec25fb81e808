"""Runs requests together, in batches, on one thread.

Requests of one group have the same function and the same types and shapes of rows, and are all
heavy or all light, so that light ones need not wait for many heavy ones. The thread runs the first
requests of a group once they fill a batch or the oldest has waited long enough. Requests that
arrive meanwhile wait for the next batch, so batches fill by themselves under load. A request larger
than a batch runs in parts, with other requests in between. Knows nothing of TensorFlow or HTTP.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from zoo.serve.queued_request import Arrays, BatchLimits, Function, QueuedRequest
from zoo.serve.signature import Array
from zoo.serve.status import StatusError

HEAVY = 0.1  # Of the weight of a full batch: a request that weighs more is heavy.


class Batcher:
    """Runs requests on one thread, in batches where their groups are equal.

    Args:
        limits: limits of batches and of their queue.
        ran: called on the thread with the number of rows of each batch.
    """

    def __init__(self, limits: BatchLimits, ran: Callable[[int], None] = lambda rows: None) -> None:
        self.limits = limits
        self._ran = ran
        self._groups: OrderedDict[Hashable, deque[QueuedRequest]] = OrderedDict()
        self._waiting = 0
        self._expected = 1  # Concurrent requests seen last: a batch need not wait for more.
        self._was_heavy = False  # The last batch.
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of waiting requests."""
        return self._waiting

    async def submit(
        self,
        key: Hashable,
        run: Function,
        inputs: Arrays,
        together: bool,
        weights: Array | None = None,
        queued: Callable[[Callable[[], object]], None] = lambda cancel: None,
    ) -> Arrays:
        """Runs a function on a request's inputs, if possible together with other requests.

        Args:
            key: identifies the function.
            run: the function, of arrays by name.
            inputs: arrays by name.
            together: whether rows of several requests may run as one batch.
            weights: (rows,), non-negative.
            queued: called with a function that takes the request out of the queue.

        Returns:
            The outputs, by name.

        Raises:
            StatusError: the queue is full or closed. Errors of `run` are raised, too.
            asyncio.CancelledError: the request was taken out of the queue.
        """
        sizes = {array.shape[0] if array.ndim else -1 for array in inputs.values()}
        rows = sizes.pop() if len(sizes) == 1 else -1
        loop = asyncio.get_running_loop()
        together = together and rows > 0
        request = QueuedRequest(
            run,
            inputs,
            rows if together else 1,
            np.cumsum(weights) if together and weights is not None else None,
            self.limits,
            loop.create_future(),
            loop,
        )
        if together:
            # Heavy requests fill batches of their own, after each of which light ones run.
            heavy = weights is not None and weights.sum() > HEAVY * self.limits.weight
            request.group = (key, heavy, *((n, a.dtype, a.shape[1:]) for n, a in inputs.items()))
        with self._changed:
            self.require_room()
            self._put(request)
            self._changed.notify()
        queued(lambda: self._cancel(request))
        return await request.future

    def _cancel(self, request: QueuedRequest) -> None:
        """Takes a request out of the queue, if it waits there; it has no more parts, either."""
        with self._changed:
            request.future.cancel()
            group = request if request.group is None else request.group
            waiting = self._groups.get(group)
            if waiting is not None and request in waiting:
                waiting.remove(request)
                self._waiting -= 1
                if not waiting:
                    del self._groups[group]

    def _put(self, request: QueuedRequest) -> None:
        group = request if request.group is None else request.group
        self._groups.setdefault(group, deque()).append(request)
        self._waiting += 1

    def _put_back(self, batch: list[QueuedRequest], answers: list[Any]) -> None:
        """Queues requests that have parts left after all others, even if the queue is full."""
        with self._changed:
            for request, answer in zip(batch, answers, strict=True):
                if answer is None and not request.future.cancelled():
                    self._put(request)

    def require_room(self) -> None:
        """Refuses a request if it could not wait.

        Raises:
            StatusError: the queue is full or closed.
        """
        if self._closed:
            raise StatusError("UNAVAILABLE", "The server is stopping")
        if self._waiting >= self.limits.queue:
            raise StatusError(
                "UNAVAILABLE",
                "The batch scheduling queue to which this task was submitted is full",
            )

    def close(self) -> None:
        """Runs the waiting requests, then ends the thread."""
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
                    self._changed.wait(self._seconds_to_timeout())
                    batch = self._next()
            batch = [request for request in batch if not request.future.cancelled()]
            if batch:
                answers = self._run(batch)
                self._expected = len(batch) + self._waiting
                _deliver(batch, answers)
                self._put_back(batch, answers)
                del answers
            del batch  # Else its requests stay in memory until the next batch.

    def _next(self) -> list[QueuedRequest]:
        """Takes the next batch out of the queue; empty if none is ready."""
        now = time.monotonic()
        ready = [key for key, group in self._groups.items() if self._ready(key, group, now)]
        if not ready:
            return []
        light = (key for key in ready if not _is_heavy(key))
        key = next(light, ready[0]) if self._was_heavy else ready[0]
        self._was_heavy = _is_heavy(key)
        group = self._groups[key]
        batch = [group.popleft()]
        rows, weight = batch[0].rows, batch[0].weight
        while group:
            rows, weight = rows + group[0].rows, weight + group[0].weight
            if rows > self.limits.batch_size or weight > self.limits.weight:
                break
            batch.append(group.popleft())
        if group:
            self._groups.move_to_end(key)  # Other groups come first.
        else:
            del self._groups[key]
        self._waiting -= len(batch)
        return batch

    def _ready(self, key: Hashable, group: deque[QueuedRequest], now: float) -> bool:
        rows = sum(request.rows for request in group)
        weight = sum(request.weight for request in group)
        alone = key is group[0]
        full = rows >= self.limits.batch_size or weight >= self.limits.weight
        complete = self._waiting >= self._expected
        old = now - group[0].since >= self.limits.timeout
        return alone or full or complete or old or self._closed

    def _seconds_to_timeout(self) -> float | None:
        """Seconds until the oldest request has waited long enough; None if none waits."""
        if not self._groups:
            return None
        oldest = min(group[0].since for group in self._groups.values())
        return max(0.0, oldest + self.limits.timeout - time.monotonic())

    def _run(self, batch: list[QueuedRequest]) -> list[Any]:
        """Returns an answer or an exception for each request; None if it has parts left."""
        if len(batch) == 1:
            return [self._run_alone(batch[0])]
        parts = [request.part() for request in batch]
        inputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        try:
            rows = sum(request.rows for request in batch)
            outputs = batch[0].run(inputs)
            self._ran(rows)
            if not _by_row(outputs, rows):
                raise ValueError("the outputs are not those of the rows")
        except Exception:  # It may be the fault of one request: run each alone.
            return [self._run_alone(request) for request in batch]
        answers = []
        start = 0
        for request in batch:
            stop = start + request.rows
            answer = {name: array[start:stop] for name, array in outputs.items()}
            answers.append(_finish_part(request, answer))
            start = stop
        return answers

    def _run_alone(self, request: QueuedRequest) -> Any:
        try:
            answer = request.run(request.part())
            self._ran(request.rows)
            if not request.whole and not _by_row(answer, request.rows):
                return request.run(request.inputs)  # Outputs are not by row: no parts.
        except Exception as error:  # For the client.
            return error
        return _finish_part(request, answer)


def _is_heavy(key: Hashable) -> bool:
    return isinstance(key, tuple) and bool(key[1])


def _finish_part(request: QueuedRequest, answer: Arrays) -> Any:
    try:
        return request.finish_part(answer)
    except Exception as error:
        return error


def _by_row(outputs: Arrays, rows: int) -> bool:
    """Whether the first axis of all outputs is that of the rows."""
    return all(array.shape[:1] == (rows,) for array in outputs.values())


def _deliver(batch: list[QueuedRequest], answers: list[Any]) -> None:
    """Sets the answers of finished requests, each on its own event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Arrays], Any]]] = {}
    for request, answer in zip(batch, answers, strict=True):
        if answer is None:
            continue
        loops.setdefault(request.loop, []).append((request.future, answer))
    for loop, pairs in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, pairs)
        except RuntimeError:  # The loop is closed: no client waits.
            continue


def _resolve(pairs: list[tuple[asyncio.Future[Arrays], Any]]) -> None:
    for future, answer in pairs:
        if future.done():
            continue  # The client has gone.
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
