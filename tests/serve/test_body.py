"""Limits of a request's body, alone and together with others."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.serve.conftest import PREDICT, instances, served, wait_for
from tests.serve.models import png
from zoo.serve.limits import RequestLimits


def test_bodies_are_bounded(model_folder: Callable[[str], Path]) -> None:
    with served(
        model_folder("pictures"), request_limits=RequestLimits(body_bytes=20_000)
    ) as client:
        assert client.post(PREDICT, instances(png(0))).code == 200
        for body in (b" " * 20_001, b" " * 3_000_000):
            answer = client.post(PREDICT, body)
            assert answer.code == 413
            assert "Expected at most 0.02 MB" in answer.error
        answer = client.post(PREDICT, (b" " * 9000 for _ in range(9)))  # Of no length.
        assert answer.code == 413
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as lie:
            lie.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\n".encode())
            lie.sendall(b"Content-Length: 99999999999999999999\r\n\r\n{")
            assert b" 413 " in lie.recv(1000) or lie.recv(10) == b""
        assert client.post(PREDICT, instances(png(0))).code == 200


def test_bodies_together_are_bounded(model_folder: Callable[[str], Path]) -> None:
    """Eight bodies of the largest size fit; one more gets 503, and succeeds later."""
    body = json.dumps(instances(png(0))) + " " * 90_000
    with served(model_folder("pictures"), request_limits=RequestLimits(100_000)) as client:
        gate = threading.Event()
        servable = client.app.versions.get()
        run = servable.runners["serving_default"]
        servable.runners["serving_default"] = lambda inputs: gate.wait(20) and run(inputs)
        codes: list[int] = []
        threads = [
            threading.Thread(target=lambda: codes.append(client.post(PREDICT, body).code))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: client.app.predictions.memory.used > 700_000)
        answer = client.post(PREDICT, body)
        assert answer.code == 503
        assert "memory" in answer.error
        gate.set()
        for thread in threads:
            thread.join()
        assert codes == [200] * 8
        assert client.post(PREDICT, body).code == 200
        assert client.app.predictions.memory.used == 0
