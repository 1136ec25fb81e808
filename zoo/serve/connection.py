"""uvicorn's connection with a bound on what comes before a body, of which it has none."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADERS = 1 << 16  # Bytes of a request's line and headers.


class _TooLarge(Exception):
    """Ends the parsing of a request."""


class Connection(HttpToolsProtocol):
    """One client's connection."""

    _read = 0  # Bytes before the body, where they come in several reads and have no end yet.
    _parsed = 0  # Those of them that are whole.
    _before_body = True

    def data_received(self, data: bytes) -> None:
        if self._before_body:
            self._read += len(data)
        super().data_received(data)
        if self._before_body and self._read > MOST_HEADERS and not self.transport.is_closing():
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        large = max(self._read, self._parsed) > MOST_HEADERS
        super().send_400_response("Request line and headers too large." if large else msg)

    def on_message_begin(self) -> None:
        self._parsed = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._parsed += size
        if self._parsed > MOST_HEADERS:
            raise _TooLarge  # The parser makes an error of it, and that a 400.

    def on_headers_complete(self) -> None:
        self._before_body, self._read = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._before_body = True
        super().on_message_complete()
