"""Reads a request's body as it streams in, within limits of size, time and memory.

By hand: uvicorn limits neither the size of a body nor the time to receive it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from zoo.serve.limits import RequestLimits
from zoo.serve.status import StatusError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = Iterable[tuple[bytes, bytes]]

DRAIN_SECONDS = 2.0
SLOW_SECONDS = 5.0  # A body that takes longer gives up its memory when others need it.


class Disconnected(Exception):
    """The client closed the connection during its request."""


class Reservation:
    """The memory of one request's body.

    Attributes:
        size: bytes received so far.
        deadline: of the body; None while it is not being received.
        gave_up: whether the memory went to others.
        since: the event loop's time at which the body began.
    """

    def __init__(self) -> None:
        self.size = 0
        self.deadline: asyncio.Timeout | None = None
        self.gave_up = False
        self.since = 0.0


class BodyMemory:
    """Bounds the memory of all bodies together, by the bytes that have arrived.

    Clients that announce large bodies, or send them slowly, cannot keep others out: a body that
    has taken more than `SLOW_SECONDS` gives up its memory when it is needed.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._reservations: dict[Reservation, None] = {}

    @contextmanager
    def reserve(self) -> Iterator[Reservation]:
        """Holds the memory of a body until its request is answered."""
        reservation = Reservation()
        self._reservations[reservation] = None
        try:
            yield reservation
        finally:
            self._free(reservation)

    def grow(self, reservation: Reservation, size: int) -> None:
        """Takes memory for a part of a body.

        Raises:
            StatusError: there is none left.
        """
        if reservation.gave_up:
            raise _no_memory()
        while self.used + size > self.limit:
            slow = self._slowest(reservation)
            if slow is None:
                raise _no_memory()
            loop = asyncio.get_running_loop()
            slow.gave_up = True
            if slow.deadline is not None:
                slow.deadline.reschedule(loop.time())
            self._free(slow)
        reservation.size += size
        self.used += size

    def _slowest(self, other: Reservation) -> Reservation | None:
        latest = asyncio.get_running_loop().time() - SLOW_SECONDS
        for reservation in self._reservations:
            receiving = reservation.deadline is not None and reservation.size > 0
            if receiving and reservation is not other and reservation.since < latest:
                return reservation
        return None

    def _free(self, reservation: Reservation) -> None:
        if reservation in self._reservations:
            del self._reservations[reservation]
            self.used -= reservation.size


async def read_body(
    receive: Receive,
    headers: Headers,
    limits: RequestLimits,
    memory: BodyMemory,
    reservation: Reservation,
) -> bytes:
    """Reads a request's body.

    Args:
        receive: of ASGI.
        headers: of the request. A larger Content-Length is refused before any byte is read.
        limits: of size and time; bytes received count, whatever the headers say.
        memory: of all bodies.
        reservation: of this one.

    Raises:
        StatusError: the body is too large, or does not arrive in time.
        Disconnected: the client is gone.
    """
    length = _content_length(headers)
    reservation.since = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(limits.body_seconds) as reservation.deadline:
            body = await _read_chunks(receive, length, limits.body_bytes, memory, reservation)
    except TimeoutError:
        if reservation.gave_up:
            raise _no_memory() from None
        raise StatusError(
            "DEADLINE_EXCEEDED", f"the body did not come within {limits.body_seconds:g} s", 408
        ) from None
    finally:
        reservation.deadline = None
    return body


async def _read_chunks(
    receive: Receive, length: int, max_bytes: int, memory: BodyMemory, reservation: Reservation
) -> bytes:
    body = bytearray()
    has_more = True
    while has_more and reservation.size <= max_bytes and length <= max_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk: bytes = message.get("body", b"")
        memory.grow(reservation, len(chunk))
        has_more = message.get("more_body", False)
        if not has_more and not body and len(chunk) <= max_bytes:
            return chunk  # Most bodies come in one piece.
        body += chunk
    if reservation.size > max_bytes or length > max_bytes:
        await _drain(receive, has_more)
        raise _too_large(max_bytes)
    return bytes(body)


async def _drain(receive: Receive, has_more: bool) -> None:
    """Discards input for a moment: many clients read an answer only after they have sent all."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while has_more:
                message = await receive()
                has_more = message["type"] != "http.disconnect" and message.get("more_body", False)
    except TimeoutError:
        pass


def _content_length(headers: Headers) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _no_memory() -> StatusError:
    return StatusError("UNAVAILABLE", "The requests in work take all memory there is for them")


def _too_large(max_bytes: int) -> StatusError:
    return StatusError(
        "RESOURCE_EXHAUSTED",
        f"request body too large. Expected at most {max_bytes / 1e6:g} MB (--max-body-mb).",
        413,
    )
