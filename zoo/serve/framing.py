"""The framing of a request: what servers and proxies read differently, and answers without one."""

from __future__ import annotations

import json

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Headers = list[tuple[bytes, bytes]]

_OFFERS = frozenset((b"upgrade", b"http2-settings"))


class Malformed(Exception):
    """Ends the parsing of a request: httptools makes a parse error of it, and we a 400."""


def require_framing(version: str, url: bytes, headers: Headers) -> None:
    """Refuses chunks in HTTP/1.0; takes the host of a full URL, which counts more than the header.

    Args:
        version: of HTTP.
        url: of the request line.
        headers: names in small letters; Host is replaced in place (RFC 9112, 3.2.2).

    Raises:
        Malformed: proxies may read the request differently.
    """
    if version != "1.1" and any(name == b"transfer-encoding" for name, _ in headers):
        raise Malformed  # HTTP/1.0 has no chunks.
    if not url.startswith((b"/", b"*")):
        parsed = httptools.parse_url(url)
        host = (parsed.host or b"") + (b":%d" % parsed.port if parsed.port else b"")
        headers[:] = [pair for pair in headers if pair[0] != b"host"]
        headers.append((b"host", host))


def body_size(headers: Headers) -> int | None:
    """The size of a request's body; None if it comes in chunks.

    Args:
        headers: names in small letters. The parser has refused two lengths, and a length with
            chunks.
    """
    values = dict(headers)
    if b"transfer-encoding" in values:
        return None
    return int(values.get(b"content-length", 0))


def decline_upgrade(method: bytes, url: bytes, headers: Headers) -> bytes:
    """Writes the head of a request again, without its offer of another protocol.

    Args:
        method: of HTTP.
        url: of the request line.
        headers: names in small letters.
    """
    lines = [method + b" " + url + b" HTTP/1.1"]
    for name, value in headers:
        if name == b"connection":
            words = [word.strip() for word in value.lower().split(b",")]
            value = b", ".join(word for word in words if word not in _OFFERS)
        if name not in _OFFERS and value:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])


def write_refusal(code: int, message: str, headers: Headers) -> bytes:
    """Writes an answer that ends the connection.

    Args:
        code: of HTTP.
        message: for the client.
        headers: that every answer has.
    """
    body = json.dumps({"error": message}).encode()
    lines = [
        *(name + b": " + value for name, value in headers),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        *([b"retry-after: 1"] if code == 503 else []),
        b"connection: close",
    ]
    return STATUS_LINE[code] + b"\r\n".join([*lines, b"", b""]) + body
