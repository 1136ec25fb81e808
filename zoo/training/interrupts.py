"""Records Ctrl-C and SIGTERM; training stops at its next stop."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from zoo.backend import processes

SAME_SECONDS = 1.0


class Signals:
    """Turns Ctrl-C and SIGTERM into a request; a second signal stops at once.

    A process that trains with others may get one signal twice, from its launcher and from the
    parent that watches over it: there, a second one within `SAME_SECONDS` is the first.

    Does nothing outside the main thread, where Python has no signals.

    Attributes:
        received: name of the signal that came first; None: none came.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._received_at = 0.0
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.received and processes.count() > 1 and now - self._received_at < SAME_SECONDS:
            return
        if self.received:
            raise KeyboardInterrupt
        self.received, self._received_at = signal.Signals(number).name, now

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
