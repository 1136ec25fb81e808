"""A client's connection: limits on headers, on what surrounds a body, on requests, and on time.

By hand: uvicorn limits the size of headers for h11 alone (`h11_max_incomplete_event_size`), which
parses in Python; with httptools it limits neither their size, nor that of trailers and of chunk
extensions, nor the time that any of them takes. It also takes all requests that come in one read.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from zoo.serve.call import disconnect
from zoo.serve.connections import MAX_LINGERING, Connections, State, client_key
from zoo.serve.flow import Flow
from zoo.serve.framing import Malformed, body_size, decline_upgrade, require_framing, write_refusal

MAX_HEADER_BYTES = 1 << 16  # Of the request line and all headers; of what surrounds a body, too.
MAX_HEADERS = 256
MAX_EVENTS = 1000  # Calls of the parser and its calls of us, before other connections come.
CHUNKED_BYTES = 4096  # Of a body in chunks, parsed at once: each may hold a thousand chunks.
WRITE_BUFFER_BYTES = 1 << 14  # Of answers; above it the client does not read.
LINGER_SECONDS = 1.0  # For a refused client to read why, before the connection is reset.
LINGER_BYTES = 1 << 20  # Discarded meanwhile.
DRAIN_SECONDS = 5.0  # For the rest of a body whose request is answered already.
GRACE_SECONDS = 5.0  # After the application's own limit for a body.
_END = b"\r\n\r\n"
RESET = struct.pack("ii", 1, 0)  # Value of SO_LINGER: drop what is not sent.


class Connection(HttpToolsProtocol):
    """A client's connection that refuses large headers with 400 and slow requests with 408.

    Takes one request at a time. What a client sends after it is held back, and no more is read from
    the client, until the request is answered and the client reads its answers. Then the connection
    waits for its turn among all that have such requests.

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
        self._header_count = 0
        self._received = 0  # Bytes of the headers so far; the last header may be incomplete.
        self._parsed = 0  # Bytes of the complete headers.
        self._surroundings = 0  # Bytes since the last part of a body.
        self._body_left: int | None = 0  # Bytes of the body to come; None: it comes in chunks.
        self._data = b""  # What the client sent.
        self._at = 0  # What comes from here in `_data` is not parsed yet.
        self._events = 0  # Of this turn.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Joins the server's connections, or is refused with 503."""
        super().connection_made(transport)
        self.flow = Flow(transport, lambda: self.held > 0)
        transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        self.address = client_key(self.client[0] if self.client else "")
        if not self._connections.add(self):
            self._refuse(503, "All connections of the server are in use by requests in work.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves the server's connections."""
        self._connections.remove(self)
        self._data, self._at = b"", 0
        if self._answering:
            self._abandon()
        super().connection_lost(exc)

    @property
    def held(self) -> int:
        """Bytes that the client sent and the parser has not taken yet."""
        return len(self._data) - self._at

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

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
        start = max(0, self._at - len(_END) + 1)  # The end of the headers may come in two reads.
        self._data, self._at = self._data[start:] + data, self._at - start
        self.take()

    def take(self) -> None:
        """Parses what the client sent, up to the end of a request; called when it is our turn."""
        self._events = 0
        self._unset_keepalive_if_required()
        while self.held and not self._must_wait():
            if self._events >= MAX_EVENTS:
                self._connections.await_turn(self)
                break
            self._feed(self._piece_end())
        if self.transport.is_closing():
            return
        if self.held:
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()
        self._update()

    def _must_wait(self) -> bool:
        """Whether nothing can be parsed now: an answer is to be made, or to be read."""
        if self._refused or self.transport.is_closing() or self.flow.write_paused:
            return True
        return self._in_headers and self._answering

    def _piece_end(self) -> int:
        """The end of what may be parsed at once: no two requests end in it."""
        if not self._in_headers and self._body_left is not None:
            return min(len(self._data), self._at + max(1, self._body_left))
        end = self._data.find(_END, max(0, self._at - len(_END) + 1))
        end = len(self._data) if end < 0 else end + len(_END)
        return end if self._in_headers else min(end, self._at + CHUNKED_BYTES)

    def _feed(self, end: int) -> None:
        start, self._at = self._at, end
        if self._in_headers:
            self._received += end - start
        else:
            self._surroundings += end - start
        self._events += 1
        try:
            self.parser.feed_data(memoryview(self._data)[start:end])
        except httptools.HttpParserUpgrade as upgrade:
            self._at = start + upgrade.args[0]
            self._stay()
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if max(self._received, self._surroundings) > MAX_HEADER_BYTES:
            self.send_400_response("")

    def _stay(self) -> None:
        """Goes on in HTTP/1.1 where a client offers another protocol, as Java's offers HTTP/2.

        httptools would take such a request's body for the other protocol, so the request is parsed
        again without the offer.
        """
        head = decline_upgrade(self.parser.get_method(), self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        with suppress(AttributeError):  # Like uvicorn; older releases of httptools have no such.
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._data, self._at = head + self._data[self._at :], 0
        self._received = 0

    def send_400_response(self, msg: str) -> None:
        """Answers 400, with our message if the headers are too large."""
        if max(self._received, self._parsed) > MAX_HEADER_BYTES:
            msg = "Request line and headers too large. Expected at most 64 KB."
        elif self._header_count > MAX_HEADERS:
            msg = f"Too many headers and trailers. Expected at most {MAX_HEADERS}."
        elif self._surroundings > MAX_HEADER_BYTES:
            msg = "Trailers or chunk extensions too large. Expected at most 64 KB."
        self._refuse(400, msg)

    def on_message_begin(self) -> None:
        """Starts to count."""
        self._parsed, self._header_count, self._begun = 0, 0, True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Counts the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts a header; drops one of a trailer, since its request runs already."""
        self._header_count += 1
        self._count(len(name) + len(value) + len(": \r\n"))
        if self._in_headers:
            super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._parsed += size
        self._events += 1
        if self._parsed > MAX_HEADER_BYTES or self._header_count > MAX_HEADERS:
            raise Malformed

    def on_headers_complete(self) -> None:
        """Stops to count, and starts the request."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise Malformed
            return  # `_stay` parses the request again.
        require_framing(self.parser.get_http_version(), self.url, self.headers)
        self._in_headers, self._received, self._surroundings = False, 0, 0
        self._body_left = body_size(self.headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        self._surroundings = 0
        self._events += 1
        if self._body_left is not None:
            self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expects the headers of the next request."""
        if self.parser.should_upgrade():
            return
        self._in_headers, self._begun, self._surroundings = True, False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Goes on with the next request, once the client has read the answer."""
        super().on_response_complete()
        self._go_on()
        self._update(again=True)

    def pause_writing(self) -> None:
        """The client does not read answers: reads nothing from it either."""
        super().pause_writing()
        self.flow.pause_reading()
        self._update()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self.flow.resume_reading()
        self._go_on()
        self._update()

    def _go_on(self) -> None:
        """Waits for a turn if the client has sent more."""
        if self.held and not self._must_wait():
            self._unset_keepalive_if_required()
            self._connections.await_turn(self)

    def _update(self, again: bool = False) -> None:
        """Tells the server's connections what this one does; `again`: from now on."""
        if self.flow.write_paused:
            state = State.SENDING
        elif not self._in_headers:
            state = State.RECEIVING
        elif self._answering:
            state = State.ANSWERING
        elif self.held:
            state = State.QUEUED
        elif self.transport.get_write_buffer_size():
            state = State.SENDING
        else:
            state = State.WAITING
        if again or state is not self.state:
            self._connections.move(self, state)

    def size(self) -> int:
        """Bytes in memory: answers that the client has not read, and requests not taken yet."""
        return self.transport.get_write_buffer_size() + self.held

    def evict(self) -> None:
        """Closes the connection, without waiting for the client to read anything."""
        self._abandon()
        system_socket = self.transport.get_extra_info("socket")
        if system_socket is not None and not self.transport.is_closing():
            # Else the system keeps megabytes for a client that reads nothing.
            with suppress(OSError):
                system_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def _abandon(self) -> None:
        """Ends the request in work without an answer: nothing may be written any more."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            disconnect(self.cycle.scope)

    def enforce(self, now: float) -> None:
        """Closes the connection if the client took too long."""
        limits, waited = self._connections.limits, now - self.since
        if self.state is State.SENDING or self.transport.is_closing():
            if waited > limits.send_seconds:
                self.evict()
            elif not self.transport.is_closing():
                self._update()
        elif self.state in (State.QUEUED, State.ANSWERING):
            pass  # It waits for us.
        elif self.state is State.RECEIVING:
            body_seconds = limits.body_seconds + GRACE_SECONDS
            if waited > (body_seconds if self._answering else DRAIN_SECONDS):
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
        self._abandon()
        self._data, self._at = b"", 0
        self.transport.write(write_refusal(code, message, self.server_state.default_headers))
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
