"""Limits of a request's body, alone and together with others."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import PREDICT, instances, served, wait_for
from tests.serve.models import png
from zoo.serve import body as body_module
from zoo.serve.body import BodyMemory, Disconnected, Receive, read_body
from zoo.serve.limits import RequestLimits
from zoo.serve.status import StatusError


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
        # A body that is announced, but hardly sent, takes no memory from others.
        opened = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(20)]
        for connection in opened:
            connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\n".encode())
            connection.sendall(b"Content-Length: 100000\r\n\r\n{")
        wait_for(lambda: client.app.predictions.memory.used == 20)
        assert client.post(PREDICT, body).code == 200
        for connection in opened:
            connection.close()


def sender(*parts: bytes, ends: bool = True) -> Receive:
    """Sends parts of a body; after them nothing, if it does not end."""
    left = list(parts)

    async def receive() -> Any:
        if not left:
            await asyncio.sleep(60)
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left) or not ends}

    return receive


async def read(receive: Receive, memory: BodyMemory, **limits: Any) -> bytes:
    with memory.reserve() as reservation:
        return await read_body(receive, [], RequestLimits(**limits), memory, reservation)


def test_a_slow_body_gives_up_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        memory = BodyMemory(100)
        first = asyncio.create_task(read(sender(b"x" * 60, ends=False), memory))
        second = asyncio.create_task(read(sender(b"x" * 30, ends=False), memory))
        await asyncio.sleep(0.01)
        assert memory.used == 90
        with pytest.raises(StatusError, match="take all memory") as error:
            await read(sender(b"y" * 50), memory)  # The others are as new.
        assert error.value.http == 503
        assert memory.used == 90
        monkeypatch.setattr(body_module, "SLOW_SECONDS", 0.0)
        assert await read(sender(b"y" * 30, b"z" * 20), memory) == b"y" * 30 + b"z" * 20
        with pytest.raises(StatusError, match="take all memory"):
            await first
        assert memory.used == 30  # The second was not in the way.
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert memory.used == 0

    asyncio.run(run())


def test_a_body_that_does_not_come() -> None:
    async def run() -> None:
        memory = BodyMemory(100)
        for parts in ((), (b"x",)):
            with pytest.raises(StatusError, match="did not come within 0.01 s") as error:
                await read(sender(*parts, ends=False), memory, body_seconds=0.01)
            assert error.value.http == 408

        async def gone() -> Any:
            return {"type": "http.disconnect"}

        with pytest.raises(Disconnected):
            await read(gone, memory)
        assert memory.used == 0

    asyncio.run(run())
