"""Runs work on images in threads: Pillow and file reads release Python's global lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

# More threads would only wait for the global lock: opening a small file costs more Python time
# than decoding it.
THREADS = min(16, os.cpu_count() or 1)


def as_results_arrive(
    call: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], thread_name: str
) -> Generator[Any, None, None]:
    """Calls `call(*job)` for every job in threads, and yields the results in any order.

    After an error or Ctrl-C waiting jobs are dropped and running ones end first. Close the
    iterator if it is not exhausted.
    """
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix=thread_name)
    try:
        # No list of the futures is kept, so each result is freed once it is used.
        for future in as_completed(pool.submit(call, *job) for job in jobs):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
