"""Reads a request's body as it streams in, within limits of size and time.

By hand: neither uvicorn nor Starlette limits the size of a body, or the time to receive it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from zoo.serve.status import StatusError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = Iterable[tuple[bytes, bytes]]

RECEIVE_SECONDS = 60.0
DRAIN_SECONDS = 2.0


class Disconnected(Exception):
    """The client closed the connection during its request."""


async def read_body(receive: Receive, headers: Headers, max_bytes: int) -> bytes:
    """Reads a request's body.

    Args:
        receive: of ASGI.
        headers: of the request. A larger Content-Length is refused before any byte is read.
        max_bytes: the limit; bytes received count, whatever the headers say.

    Raises:
        StatusError: the body is too large, or does not arrive in time.
        Disconnected: the client is gone.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(first) > max_bytes:
            raise _too_large(max_bytes)
        return first
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            return await _read_chunks(receive, first, _content_length(headers), max_bytes)
    except TimeoutError:
        raise StatusError(
            "DEADLINE_EXCEEDED", f"the body did not come within {RECEIVE_SECONDS:g} s", 408
        ) from None


def expected_bytes(headers: Headers, max_bytes: int) -> int:
    """The size of a body: its Content-Length, or the limit if it is larger or not given."""
    headers = list(headers)
    given = any(name == b"content-length" for name, _ in headers)
    return min(_content_length(headers), max_bytes) if given else max_bytes


async def _read_chunks(receive: Receive, first: bytes, length: int, max_bytes: int) -> bytes:
    chunks, size, has_more = [first], len(first), True
    while has_more and size <= max_bytes and length <= max_bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        has_more = message.get("more_body", False)
    if size > max_bytes or length > max_bytes:
        await _drain(receive, has_more)
        raise _too_large(max_bytes)
    return b"".join(chunks)


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


def _too_large(max_bytes: int) -> StatusError:
    return StatusError(
        "RESOURCE_EXHAUSTED",
        f"request body too large. Expected at most {max_bytes / 1e6:g} MB (--max-body-mb).",
        413,
    )
