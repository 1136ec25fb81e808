"""Limits of a request's line and headers, and input that is no HTTP."""

from __future__ import annotations

import socket

import pytest

from tests.serve.conftest import Client


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
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode()
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
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in connection.recv(1000)
            try:
                connection.sendall(request)
                return connection.recv(1000)
            except (ConnectionResetError, BrokenPipeError):
                continue
    pytest.fail("no answer in 50 connections")


def test_bytes_that_are_not_http(pictures: Client) -> None:
    for sent in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\r\n" * 50):
        with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert pictures.get("/healthz").code == 200
