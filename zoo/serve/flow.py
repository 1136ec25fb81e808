"""Reads no more from a client than the server can take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """Stops reading from a client while what it sent is held back, or it reads no answers.

    Args:
        transport: of the connection.
        holds: whether something that the client sent is held back.
    """

    def __init__(self, transport: asyncio.Transport, holds: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._transport = transport
        self._holds = holds

    def pause_reading(self) -> None:
        """Stops reading."""
        if not self._transport.is_closing():
            super().pause_reading()

    def resume_reading(self) -> None:
        """Reads again, unless there is a reason not to."""
        if not (self.write_paused or self._holds() or self._transport.is_closing()):
            super().resume_reading()
