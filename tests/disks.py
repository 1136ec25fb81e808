"""Disks that stop taking files, for tests of what is told and kept."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


@contextmanager
def failing_from(write: int, code: int = errno.ENOSPC) -> Iterator[list[int]]:
    """Let the n-th write of a whole file or of a journal's row fail, and all that come after it.

    Args:
        write: n, from 1.
        code: what the operating system says.

    Yields:
        A list with one entry: the number of writes so far.
    """
    fsync, count = os.fsync, [0]

    def full(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            count[0] += 1
            if count[0] >= write:
                raise OSError(code, os.strerror(code))
        fsync(handle)

    with mock.patch("os.fsync", full):
        yield count


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Limit the size of files that this process writes, as `ulimit -f` does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
