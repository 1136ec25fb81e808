"""Runs work on images in threads: Pillow and file reads release Python's global lock."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

# More threads would only wait for the global lock: opening a small file costs more Python time
# than decoding it.
THREADS = min(16, os.cpu_count() or 1)
AHEAD = 4  # Jobs that wait for each thread: results that are not used yet take memory.
TRIED = 64  # Calls whose time says whether the disk is slow.
SLOW_SECONDS = 100e-6  # A call that takes longer waits, as for a network disk; a local one takes 2.
WAITING_THREADS = 32  # They wait rather than compute.
CLOSE_SECONDS = 5.0  # How long an end waits for what threads are making.


def as_results_arrive(
    call: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], thread_name: str
) -> Generator[Any, None, None]:
    """Calls `call(*job)` for every job in threads, and yields the results in any order.

    After an error or Ctrl-C waiting jobs are dropped and running ones end first. Close the
    iterator if it is not exhausted.
    """
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix=thread_name)
    remaining = iter(jobs)
    running = {pool.submit(call, *job) for job in islice(remaining, THREADS * AHEAD)}
    try:
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(call, *job) for job in islice(remaining, len(done))}
            while done:
                yield done.pop().result()  # Each result is freed once it is used.
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_threads_if_slow(call: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yields `call(item)` of every item, in order; in threads if the calls wait, as for a network.

    On a local disk threads would only wait for Python's global lock.
    """
    remaining = iter(items)
    start = time.perf_counter()
    first = [call(item) for item in islice(remaining, TRIED)]
    seconds = time.perf_counter() - start
    yield from first
    if seconds <= TRIED * SLOW_SECONDS:
        yield from map(call, remaining)
        return
    with ThreadPoolExecutor(WAITING_THREADS, thread_name_prefix="zoo-stat") as pool:
        ahead = deque(pool.submit(call, i) for i in islice(remaining, AHEAD * WAITING_THREADS))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(call, item) for item in islice(remaining, 1))


class MadeAhead:
    """What steps need, made in threads before it is asked for.

    Args:
        make: returns what a step needs; threads call it, for several steps at once.
        end: the step after the last one: nothing is made for it or for later ones.
        together: steps of a block, which a thread makes one after the other.
        ahead: blocks that are made, or being made, beyond the one that is asked for.
        threads: number of threads.
    """

    def __init__(
        self,
        make: Callable[[int], Any],
        end: int,
        together: int = 1,
        ahead: int = 1,
        threads: int = 1,
    ) -> None:
        self.make = make
        self.end = end
        self.together = together
        self.ahead = ahead
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="zoo-ahead")
        self._blocks: dict[int, Future[list[Any]]] = {}

    def __call__(self, step: int) -> Any:
        """What a step needs; it is none before those asked for lately, and before the end.

        Raises:
            Exception: whatever `make` raised for a step of its block.
        """
        block, row = divmod(step, self.together)
        for number in range(block, block + self.ahead + 1):
            if number not in self._blocks and number * self.together < self.end:
                self._blocks[number] = self._pool.submit(self._make, number)
        self._blocks.pop(block - 1, None)
        return self._blocks[block].result()[row]

    def _make(self, block: int) -> list[Any]:
        first = block * self.together
        return [self.make(step) for step in range(first, min(first + self.together, self.end))]

    def close(self) -> None:
        """Ends the threads, once they have made what they are making.

        A thread that hangs, such as on a network disk that is gone, is left behind after a while.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        if not wait(self._blocks.values(), CLOSE_SECONDS).not_done:
            self._pool.shutdown(wait=True)
        self._blocks.clear()
