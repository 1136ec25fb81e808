"""Ctrl-C that is not lost, wherever it arrives. Light.

Python raises KeyboardInterrupt in whatever runs. In a callback of the garbage collector (JAX has
one), a `__del__` or the callback of a weak reference, exceptions are dropped and the work goes on;
modules in C may put another exception in its place.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_AFTER = 0.01  # Seconds until a dropped interrupt is raised again.

_received = False


def heed() -> None:
    """Makes SIGINT raise KeyboardInterrupt until one is not dropped; for a command's start.

    A process that ignores SIGINT, or has a handler, keeps it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _raise_again


@contextmanager
def on_sigterm() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt within the block: the work ends in order, and is told.

    Does nothing outside the main thread, or where SIGTERM has a handler of the caller's own.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def received() -> bool:
    """Whether SIGINT arrived since `heed`, though it may not have ended what ran."""
    return _received


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _received
    _received = True
    raise KeyboardInterrupt


def _raise_again(dropped: sys.UnraisableHookArgs) -> None:
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    # Not at once: what this function raises would be dropped, too.
    timer = threading.Timer(AGAIN_AFTER, _interrupt_main_thread)
    timer.daemon = True
    timer.start()


def _interrupt_main_thread() -> None:
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGINT)  # Wakes it where it waits for the system.
    else:
        _thread.interrupt_main()
