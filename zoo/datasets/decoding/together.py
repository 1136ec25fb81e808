"""Decodes the images of a batch in threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from zoo.datasets.threads import THREADS


def decoded_in_threads(
    decode: Callable[[int], np.ndarray], indices: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Decodes images in threads that all batches share.

    Args:
        decode: returns the image of an index, uint8 of `shape`.
        indices: int (k,).
        shape: (height, width, channels).

    Returns:
        uint8 (k, height, width, channels), in the order of the indices.

    Raises:
        Exception: whatever `decode` raised.
    """
    indices = np.asarray(indices, dtype=np.int64)
    images = np.empty((len(indices), *shape), np.uint8)

    def decode_rows(rows: range) -> None:
        for row in rows:
            images[row] = decode(int(indices[row]))

    shares = [range(i, len(images), THREADS) for i in range(THREADS)]
    for _ in _pool().map(decode_rows, shares):
        pass
    return images


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="zoo-decode")


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork; the child makes a pool of its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)
