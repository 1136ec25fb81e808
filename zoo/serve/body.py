"""Reading a request's body as it streams in, no further than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from zoo.serve.status import StatusError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = Iterable[tuple[bytes, bytes]]

SECONDS = 60.0  # For a body to come in.
DRAIN_SECONDS = 2.0


class Disconnected(Exception):
    """The client went away in the middle of its request."""


async def read(receive: Receive, headers: Headers, most: int) -> bytes:
    """A request's body.

    Args:
        receive: ASGI's.
        headers: of the request: a length that is too large is refused before a byte is read.
        most: bytes; what is sent is counted, whatever the headers say.

    Raises:
        StatusError: it is too large, or does not come.
        Disconnected: the client is gone.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(first) > most:
            raise _too_large(most)
        return first
    try:
        async with asyncio.timeout(SECONDS):
            return await _rest(receive, first, _length(headers), most)
    except TimeoutError:
        raise StatusError(
            "DEADLINE_EXCEEDED", f"the body did not come within {SECONDS:g} s", 408
        ) from None


async def _rest(receive: Receive, first: bytes, length: int, most: int) -> bytes:
    chunks, size, more = [first], len(first), True
    while more and size <= most and length <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
    if size > most or length > most:
        await _drain(receive, more)
        raise _too_large(most)
    return b"".join(chunks)


async def _drain(receive: Receive, more: bool) -> None:
    """Reads on for a moment and keeps nothing: many clients read no answer before all is sent."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while more:
                message = await receive()
                more = message["type"] != "http.disconnect" and message.get("more_body", False)
    except TimeoutError:
        pass


def _length(headers: Headers) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _too_large(most: int) -> StatusError:
    return StatusError(
        "RESOURCE_EXHAUSTED",
        f"request body too large. Expected at most {most / 1e6:g} MB (--max-body-mb).",
        413,
    )
