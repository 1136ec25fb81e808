"""Stops what hangs, by the time of the processor: a machine may be busy with other work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 5.0


class Hang(BaseException):
    """The block took too many seconds of the processor.

    No `Exception`: a reader that takes every one for a damaged file would hide it.
    """


@contextmanager
def limited(seconds: float = SECONDS, what: str = "") -> Iterator[None]:
    """Raises `Hang` in the block once it takes too long; `what` names the case."""

    def stop(*_: Any) -> None:
        raise Hang(f"{what}: more than {seconds:g} s of the processor")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
