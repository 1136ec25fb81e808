"""uvicorn's connection with a bound on what comes before a body, of which it has none."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADERS = 1 << 16  # Bytes of a request's line and headers, give or take one read.


class Connection(HttpToolsProtocol):
    """One client's connection."""

    _seen = 0
    _before_body = True

    def data_received(self, data: bytes) -> None:
        if self._before_body:
            self._seen += len(data)
        super().data_received(data)
        if self._before_body and self._seen > MOST_HEADERS and not self.transport.is_closing():
            self.send_400_response("Request line and headers too large.")

    def on_headers_complete(self) -> None:
        self._before_body = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._before_body, self._seen = True, 0
        super().on_message_complete()
