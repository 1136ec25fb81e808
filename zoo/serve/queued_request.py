"""A request in the queue of `batching`, and the parts in which it runs.

A request larger than a batch runs in parts of its rows. Knows nothing of threads.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np

from zoo.serve.signature import Array

Arrays = Mapping[str, Array]
Function = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class BatchLimits:
    """Limits of batches and of their queue.

    Attributes:
        batch_size: maximum rows of a batch; a larger request runs in parts.
        timeout: maximum seconds to wait for a batch to fill.
        queue: maximum number of waiting requests.
        weight: maximum total weight of a batch's rows; a heavier row still runs, alone.
    """

    batch_size: int = 64
    timeout: float = 0.001
    queue: int = 256
    weight: float = math.inf


@dataclass(eq=False)
class QueuedRequest:
    """A request in the queue. Its next part is the rows from `start` to `stop`.

    Attributes:
        run: the function.
        inputs: arrays of the whole request, by name.
        total: the number of rows; 1 if the request has no batch axis.
        weights: cumulative sums of the rows' weights; None if all weigh 0.
        limits: limits of a batch.
        future: receives the answer.
        loop: the event loop of `future`.
        group: requests with equal groups may run together; None: this one runs alone.
        start: first row of the next part.
        stop: row after the next part.
        weight: weight of the next part.
        answers: answers of the parts so far.
        since: when the request joined the queue, or joined it again.
    """

    run: Function
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
        self._select_part()

    @property
    def rows(self) -> int:
        """Rows of the next part."""
        return self.stop - self.start

    @property
    def whole(self) -> bool:
        """Whether the next part is the whole request."""
        return self.rows == self.total

    def part(self) -> Arrays:
        """Inputs of the next part."""
        if self.whole:
            return self.inputs
        return {name: array[self.start : self.stop] for name, array in self.inputs.items()}

    def finish_part(self, part_answer: Arrays) -> Arrays | None:
        """Stores the answer of a part; after the last part returns the whole answer."""
        if self.whole:
            return part_answer
        self.answers.append(part_answer)
        self.start = self.stop
        if self.start == self.total:
            try:
                names = self.answers[0]
                return {
                    name: np.concatenate([answer[name] for answer in self.answers])
                    for name in names
                }
            except ValueError:  # The model pads rows to the widest of a batch: parts differ.
                return self.run(self.inputs)
        self._select_part()
        return None

    def _select_part(self) -> None:
        self.since = time.monotonic()
        size = self.limits.batch_size
        most = min(self.total, self.start + size)
        self.stop = most
        if self.weights is None:
            return
        before = self.weights[self.start - 1] if self.start else 0
        # Two rows at first: with one, a function that sums over the batch would go unnoticed.
        least = self.start + (1 if self.start else 2)
        if most > least:
            fits = np.searchsorted(self.weights, before + self.limits.weight, "right")
            self.stop = min(most, max(least, int(fits)))
        self.weight = float(self.weights[self.stop - 1] - before)
