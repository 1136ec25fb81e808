"""Limits of a request's line and headers, and input that is no HTTP."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import suppress

import pytest

from tests.serve.conftest import PREDICT, Client, instances
from tests.serve.models import png


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
def test_headers_are_bounded(pictures: Client, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
        connection.sendall(start)
        line = b"x" * 1000 if not start.endswith(b"1.1\r\n") else b"X: y\r\n" * 200
        with pytest.raises(OSError, match="reset|pipe"):  # noqa: PT012
            for _ in range(100_000):
                connection.sendall(line)
    many = pictures.ask("GET", "/healthz", None, **{f"X{i}": "y" * 1000 for i in range(50)})
    assert many.code == 200


@pytest.mark.parametrize("path", ["/healthz", "/healthz?" + "x" * 70_000])
def test_large_headers_that_come_at_once_are_refused(pictures: Client, path: str) -> None:
    line = "" if len(path) > 100 else f"X: {'y' * 70_000}\r\n"
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{line}\r\n".encode()
    answer = answer_after_another(pictures.port, request)
    assert b" 400 " in answer
    assert b"Request line and headers too large." in answer


def answer_after_another(port: int, request: bytes) -> bytes:
    """Answers a second request of a connection.

    A server that closes before it has read all of a request may reset the connection, and the
    answer is lost with it: then asks again.
    """
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in connection.recv(1000)
            try:
                connection.sendall(request)
                return connection.recv(1000)
            except (ConnectionResetError, BrokenPipeError):
                continue
    pytest.fail("no answer in 50 connections")


HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\n".encode()
BODY = b'{"instances": []}'
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "sent, answer",
    [
        (HEAD + b"Content-Length: 17\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (HEAD + b"Content-Length: 17\r\nContent-Length: 3\r\n\r\n" + BODY, b" 400 "),
        (HEAD + b"Content-Length: 17, 17\r\n\r\n" + BODY, b" 400 "),
        (HEAD + b"Content-Length: +17\r\n\r\n" + BODY, b" 400 "),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", b" 400 "),
        (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", b" 400 "),
        (CHUNKED.replace(b"1.1", b"1.0") + b"11\r\n" + BODY + b"\r\n0\r\n\r\n", b" 400 "),
        (CHUNKED + b"11\n" + BODY + b"\n0\n\n", b" 400 "),
        (CHUNKED + b"f" * 20 + b"\r\n" + BODY, b" 400 "),
        (CHUNKED + b"11;" + b"a" * 200_000 + b"\r\n" + BODY, b"chunk extensions too large"),
        (CHUNKED + b"0\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b"Trailers or chunk"),
        (CHUNKED + b"0\r\n" + b"X: a\r\n" * 30_000 + b"\r\n", b"Too many headers"),
        (GET + b"X: a\r\n b\r\n\r\n", b" 400 "),
        (GET + b"X: a\0b\r\n\r\n", b" 400 "),
        (GET.replace(b"\r\n", b"\n") + b"\n", b" 400 "),
        (b"GET /healthz\r\n\r\n", b"no Host header"),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", b" 400 "),
        (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b" 403 "),
        (b"GET http://localhost:80/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", b" 200 "),
        (b"GET //evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b" 404 "),
    ],
)  # fmt: skip
def test_framing_that_others_read_differently(pictures: Client, sent: bytes, answer: bytes) -> None:
    """One answer, never two: no part of a body becomes a request."""
    with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    assert answer in received
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"\r\ncontent-type: application/json\r\n" in received or b" 200 " in received


def test_offers_of_other_protocols_are_declined(pictures: Client) -> None:
    """Java's HttpClient offers HTTP/2 with each request, and sends the body all the same."""
    body = json.dumps(instances(png(0))).encode()
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    request = HEAD + offer + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
        for _ in range(2):
            connection.sendall(request[:300])
            connection.sendall(request[300:])
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert json.loads(response.read())["predictions"][0]["classes"][0] == "dark"


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_requests_that_come_together(half: Client, size: int) -> None:
    """Each is answered once and in order, wherever the pieces end that they come in."""
    head = HEAD.replace(b"pictures", b"half_plus_three")
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    sent, answers = b"", []
    for number in range(0, 24, 4):
        one, two, three = (b'{"instances":\r\n\r\n[%d.0]}' % (number + i) for i in range(3))
        sent += head + b"Content-Length: %d\r\n\r\n" % len(one) + one + b"\r\n"
        sent += head + b"Transfer-Encoding: chunked\r\n\r\n"
        sent += b"14\r\n" + two[:20] + b"\r\n%x\r\n" % len(two[20:]) + two[20:]
        sent += b"\r\n0\r\nX: y\r\n\r\n"
        sent += head + offer + b"Content-Length: %d\r\n\r\n" % len(three) + three
        sent += b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answers += [b'{"predictions":[%.1f]}' % ((number + i) / 2 + 3) for i in range(3)] + [
            b"ok\n"
        ]
    with socket.create_connection(("127.0.0.1", half.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), size):
            connection.sendall(sent[start : start + size])
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    parts = received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert [part.partition(b"\r\n\r\n")[2] for part in parts] == answers


def test_a_client_that_only_stops_sending_is_answered(pictures: Client) -> None:
    body = json.dumps(instances(png(0))).encode()
    with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert json.loads(response.read())["predictions"][0]["classes"][0] == "dark"


def test_bytes_that_are_not_http(pictures: Client) -> None:
    for sent in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\r\n" * 50):
        with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert pictures.get("/healthz").code == 200
