"""Limits the size of a request's line and headers.

By hand: uvicorn has such a limit for h11 alone (`h11_max_incomplete_event_size`), which parses in
Python; with httptools it has none.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 1 << 16  # Of the request line and all headers.


class _TooLarge(Exception):
    """Ends the parsing of a request."""


class Connection(HttpToolsProtocol):
    """A client's connection that refuses large headers with 400."""

    _received = 0  # Bytes of the headers so far; the last header may be incomplete.
    _parsed = 0  # Bytes of the complete headers.
    _in_headers = True

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; refuses headers that grow past the limit."""
        if self._in_headers:
            self._received += len(data)
        super().data_received(data)
        too_large = self._in_headers and self._received > MAX_HEADER_BYTES
        if too_large and not self.transport.is_closing():
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Answers 400, with our message if the headers are too large."""
        large = max(self._received, self._parsed) > MAX_HEADER_BYTES
        super().send_400_response("Request line and headers too large." if large else msg)

    def on_message_begin(self) -> None:
        """Starts to count."""
        self._parsed = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Counts the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts a header."""
        self._count(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._parsed += size
        if self._parsed > MAX_HEADER_BYTES:
            raise _TooLarge  # httptools turns it into a parse error, and uvicorn that into a 400.

    def on_headers_complete(self) -> None:
        """Stops to count."""
        self._in_headers, self._received = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expects the headers of the next request."""
        self._in_headers = True
        super().on_message_complete()
