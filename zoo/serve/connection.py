"""A client's connection: limits on headers, on what surrounds a body, and on time.

By hand: uvicorn limits the size of headers for h11 alone (`h11_max_incomplete_event_size`), which
parses in Python; with httptools it limits neither their size, nor that of trailers and of chunk
extensions, nor the time that any of them takes.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import struct
from contextlib import suppress
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from zoo.serve.connections import MAX_LINGERING, Connections, State

MAX_HEADER_BYTES = 1 << 16  # Of the request line and all headers; of what surrounds a body, too.
LINGER_SECONDS = 1.0  # For a refused client to read why, before the connection is reset.
LINGER_BYTES = 1 << 20  # Discarded meanwhile.
DRAIN_SECONDS = 5.0  # For the rest of a body whose request is answered already.
GRACE_SECONDS = 5.0  # After the application's own limit for a body.
_OFFERS = frozenset((b"upgrade", b"http2-settings"))
RESET = struct.pack("ii", 1, 0)  # Value of SO_LINGER: drop what is not sent.


class _Malformed(Exception):
    """Ends the parsing of a request: httptools makes a parse error of it, and we a 400."""


class Connection(HttpToolsProtocol):
    """A client's connection that refuses large headers with 400 and slow requests with 408.

    Args:
        connections: all connections of the server.
        arguments: of uvicorn's class.
    """

    def __init__(self, *arguments: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.address = ""
        self.state = State.WAITING
        self.since = 0.0
        self._connections = connections
        self._refused = False
        self._begun = False  # A byte of the next request has come.
        self._in_headers = True
        self._received = 0  # Bytes of the headers so far; the last header may be incomplete.
        self._parsed = 0  # Bytes of the complete headers.
        self._in_body = False  # A part of the body has come.
        self._surroundings = 0  # Bytes since the last part of a body.
        self._paused_since: float | None = None  # The client does not read.
        self._cycles: list[RequestResponseCycle] = []  # Requests in work, and those behind them.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Joins the server's connections, or is refused with 503."""
        super().connection_made(transport)
        self.address = client_key(self.client[0] if self.client else "")
        if not self._connections.add(self):
            self._refuse(503, "All connections of the server are in use by requests in work.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves the server's connections, and tells all requests in work."""
        self._connections.remove(self)
        super().connection_lost(exc)
        for cycle in self._cycles:  # uvicorn tells the last one alone.
            cycle.disconnected = True
            cycle.message_event.set()
        self.pipeline.clear()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keeps the connection for an answer: the client sends no more, but may still read."""
        if self.state is State.ANSWERING and not self._refused:
            self.cycle.keep_alive = False
            return True
        return self._refused

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; refuses headers, trailers and chunk extensions that grow too large."""
        if self._refused:  # The client is still sending; it may read the refusal.
            self._received += len(data)
            if self._received > LINGER_BYTES:
                self.evict()
            return
        if not self._begun and self.state is State.WAITING:
            self._begun = True
            self._connections.move(self, State.WAITING)  # Its time starts with the first byte.
        in_headers = self._in_headers
        if in_headers:
            self._received += len(data)
        else:
            self._surroundings += len(data)
        self._feed(data)
        if self._refused or self.transport.is_closing():
            return
        if in_headers and not self._in_headers and not self._in_body:
            self._surroundings = max(0, len(data) - self._parsed)  # What followed the headers.
        if max(self._received, self._surroundings) > MAX_HEADER_BYTES:
            self.send_400_response("")
        self._update()

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _stay(self, data: bytes) -> None:
        """Goes on in HTTP/1.1 where a client offers another protocol, as Java's offers HTTP/2.

        httptools would take such a request's body for the other protocol, so the request is parsed
        again without the offer.

        Args:
            data: what came after the request's headers.
        """
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        for name, value in self.headers:
            if name == b"connection":
                words = [word.strip() for word in value.lower().split(b",")]
                value = b", ".join(word for word in words if word not in _OFFERS)
            if name not in _OFFERS and value:
                lines.append(name + b": " + value)
        self.parser = httptools.HttpRequestParser(self)
        with suppress(AttributeError):  # Like uvicorn; older releases of httptools have no such.
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._feed(b"\r\n".join([*lines, b"", b""]) + data)

    def send_400_response(self, msg: str) -> None:
        """Answers 400, with our message if the headers are too large."""
        if max(self._received, self._parsed) > MAX_HEADER_BYTES:
            msg = "Request line and headers too large. Expected at most 64 KB."
        elif self._surroundings > MAX_HEADER_BYTES:
            msg = "Trailers or chunk extensions too large. Expected at most 64 KB."
        self._refuse(400, msg)

    def on_message_begin(self) -> None:
        """Starts to count."""
        self._parsed, self._begun = 0, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Counts the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts a header; drops one of a trailer, since its request runs already."""
        self._count(len(name) + len(value) + len(": \r\n"))
        if self._in_headers:
            super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._parsed += size
        if self._parsed > MAX_HEADER_BYTES:
            raise _Malformed

    def on_headers_complete(self) -> None:
        """Stops to count, and starts the request."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _Malformed
            return  # `_stay` parses the request again.
        self._require_framing()
        self._in_headers, self._received = False, 0
        self._in_body, self._surroundings = False, 0
        super().on_headers_complete()
        self._cycles = [one for one in self._cycles if not one.response_complete]
        self._cycles.append(self.cycle)

    def _require_framing(self) -> None:
        """Refuses what servers and proxies understand differently; takes the host of a full URL."""
        old = self.parser.get_http_version() != "1.1"
        if old and any(name == b"transfer-encoding" for name, _ in self.headers):
            raise _Malformed  # HTTP/1.0 has no chunks.
        if not self.url.startswith((b"/", b"*")):
            url = httptools.parse_url(self.url)
            host = (url.host or b"") + (b":%d" % url.port if url.port else b"")
            self.headers[:] = [pair for pair in self.headers if pair[0] != b"host"]
            self.headers.append((b"host", host))  # Counts more than the header, by RFC 9112.

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        self._in_body, self._surroundings = True, 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expects the headers of the next request."""
        if self.parser.should_upgrade():
            return
        self._in_headers, self._begun, self._surroundings = True, False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Waits for the next request, once the client has read the answer."""
        super().on_response_complete()
        self._update(again=True)

    def pause_writing(self) -> None:
        """The client does not read."""
        self._paused_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._paused_since = None
        super().resume_writing()

    def _update(self, again: bool = False) -> None:
        """Tells the server's connections what this one does; `again`: from now on."""
        if not self._in_headers:
            state = State.RECEIVING
        elif self.pipeline or (self.cycle is not None and not self.cycle.response_complete):
            state = State.ANSWERING
        elif self.unsent():
            state = State.SENDING
        else:
            state = State.WAITING
        if again or state is not self.state:
            self._connections.move(self, state)

    def unsent(self) -> int:
        """Bytes that the client has not read yet."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def evict(self) -> None:
        """Closes the connection, without waiting for the client to read anything."""
        for cycle in self._cycles:  # The transport may not be written to any more.
            cycle.disconnected = True
        system_socket = self.transport.get_extra_info("socket")
        if system_socket is not None and not self.transport.is_closing():
            # Else the system keeps megabytes for a client that reads nothing.
            with suppress(OSError):
                system_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def enforce(self, now: float) -> None:
        """Closes the connection if the client took too long."""
        limits, waited = self._connections.limits, now - self.since
        if self.state is State.SENDING or self.transport.is_closing():
            if waited > limits.send_seconds:
                self.evict()
            elif not self.transport.is_closing():
                self._update()
        elif self.state is State.ANSWERING:
            paused = self._paused_since
            if paused is not None and now - paused > limits.send_seconds:
                self.evict()
        elif self.state is State.RECEIVING:
            answered = self.cycle.response_complete
            if waited > (DRAIN_SECONDS if answered else limits.body_seconds + GRACE_SECONDS):
                self.evict()
        elif self._begun and waited > limits.header_seconds:
            seconds = f"{limits.header_seconds:g} s"
            self._refuse(408, f"the request's headers did not come within {seconds}")
        elif not self._begun:
            first = self.cycle is None
            if waited > (limits.header_seconds if first else limits.keep_alive_seconds):
                self.transport.close()

    def _refuse(self, code: int, message: str) -> None:
        """Answers an error without the application, and ends the connection."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        body = json.dumps({"error": message}).encode()
        lines = [
            *(name + b": " + value for name, value in self.server_state.default_headers),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            *([b"retry-after: 1"] if code == 503 else []),
            b"connection: close",
        ]
        head = STATUS_LINE[code] + b"\r\n".join([*lines, b"", b""])
        self.transport.write(head + body)
        if self._connections.lingering >= MAX_LINGERING or not self.transport.can_write_eof():
            self.transport.close()
            return
        # A socket closed with unread input is reset, and the refusal lost.
        self.transport.write_eof()
        self._connections.lingering += 1
        self.loop.call_later(LINGER_SECONDS, self._end_lingering)

    def _end_lingering(self) -> None:
        self._connections.lingering -= 1
        self.evict()


def client_key(host: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
