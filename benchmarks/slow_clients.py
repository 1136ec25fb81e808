"""Measures `zoo serve` for honest clients while slow ones hold connections open.

    python benchmarks/slow_clients.py EXPORT IMAGE                     this checkout
    python benchmarks/slow_clients.py EXPORT IMAGE --before CHECKOUT   and another one, in turns

EXPORT is export/saved_model/NAME of a run. The honest clients post IMAGE again and again, each time
over a new connection, and give up after 10 seconds; what failed counts as 10 seconds in p50 and
p99. The slow clients come from the same address and connect again a second after they were closed.
All on the loopback address.

| kind | a slow client |
|---|---|
| none | there is none |
| silent | connects and sends nothing |
| header | sends half a header, then nothing |
| drip | sends a header letter by letter, one a second |
| body | sends half a body |
| reader | sends three requests for the page, and reads nothing |
| pages | sends 200 requests for the page at once, and reads nothing |
| predictions | sends 200 requests with IMAGE at once, and reads nothing |
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import multiprocessing
import os
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GIVE_UP_SECONDS = 10.0
KINDS = ("none", "silent", "header", "drip", "body", "reader", "pages", "predictions")
UNREAD = ("reader", "pages", "predictions")  # Of these, only the end of a connection is noticed.
PIPELINED = 200
SETTLE_SECONDS = 3.0
AGAIN_SECONDS = 1.0


@contextmanager
def serving(root: Path, export: Path, files: int) -> Iterator[int]:
    """Runs `zoo serve` of a checkout that may open so many files; yields its port."""
    # The server may not raise its limit: what is measured is how it lives with few files.
    limited = (
        "import resource, runpy, sys; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files})); "
        "sys.argv[0] = 'zoo'; runpy.run_module('zoo', run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, "serve", str(export), "--port", "0", "--json", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                log.seek(0)
                raise SystemExit(f"the server did not start:\n{log.read().decode()[-2000:]}")
            yield int(json.loads(line)["url"].rpartition(":")[2])
        finally:
            server.kill()
            server.wait()


class SlowClients:
    """Connections that are held open, in a process of their own.

    Args:
        kind: one of `KINDS`.
        port: of the server.
        count: of connections.
        path: of `:predict`.
        body: of a good request.
    """

    def __init__(self, kind: str, port: int, count: int, path: str, body: bytes) -> None:
        self._kind, self._port, self._count = kind, port, count
        self._head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        self._body = body
        self._open: dict[socket.socket, int] = {}
        self._away: list[float] = [0.0] * count  # When each closed one may connect again.
        self._selector = selectors.DefaultSelector()

    def run(self, stop: Any, connected: Any) -> None:
        """Holds connections open until `stop`; adds the number of connections to `connected`."""
        dripped = time.monotonic()
        while not stop.is_set():
            self._connect_all(connected)
            for key, _ in self._selector.select(0.05):
                self._look(key.fileobj)
            if time.monotonic() - dripped >= 1:
                dripped = time.monotonic()
                for connection, sent in list(self._open.items()):
                    self._each_second(connection, sent)

    def _each_second(self, connection: socket.socket, sent: int) -> None:
        if self._kind == "drip":
            self._send(connection, b"X-Slow: a" if sent == len(self._head) else b"a")
        if self._kind in UNREAD and connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._drop(connection)

    def _connect_all(self, connected: Any) -> None:
        now = time.monotonic()
        due = [when for when in self._away if when <= now]
        self._away = [when for when in self._away if when > now]
        for _ in due:
            if self._connect():
                connected.value += 1
            else:
                self._away.append(time.monotonic() + AGAIN_SECONDS)

    def _connect(self) -> bool:
        connection = socket.socket()
        connection.settimeout(0.05)
        try:
            connection.connect(("127.0.0.1", self._port))
        except OSError:
            connection.close()
            return False
        connection.setblocking(False)
        self._open[connection] = 0
        if self._kind not in UNREAD:
            self._selector.register(connection, selectors.EVENT_READ)
        self._send(connection, self._first())
        return True

    def _first(self) -> bytes:
        length = f"Content-Length: {len(self._body)}\r\n\r\n"
        if self._kind == "silent":
            return b""
        if self._kind in ("header", "drip"):
            return self._head.encode()
        if self._kind == "body":
            return (self._head + length).encode() + self._body[: len(self._body) // 2]
        if self._kind == "predictions":
            return ((self._head + length).encode() + self._body) * PIPELINED
        page = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"  # Of 18 KB.
        return page * (3 if self._kind == "reader" else PIPELINED)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        try:
            if data:
                self._open[connection] += connection.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)

    def _look(self, connection: Any) -> None:
        try:
            if connection.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection)
        self._open.pop(connection, None)
        self._away.append(time.monotonic() + AGAIN_SECONDS)
        connection.close()


@contextmanager
def slow_clients(
    kind: str, port: int, count: int, path: str, body: bytes
) -> Iterator[dict[str, int]]:
    """Runs slow clients in another process; at the end the dict holds the number of connections."""
    context = multiprocessing.get_context("fork")
    stop, connected = context.Event(), context.Value("q", 0)
    clients = SlowClients(kind, port, count, path, body)
    process = context.Process(target=clients.run, args=(stop, connected), daemon=True)
    process.start()
    counts: dict[str, int] = {}
    try:
        yield counts
    finally:
        counts["connections"] = connected.value
        stop.set()
        process.join(10)
        process.kill()


def ask(port: int, path: str, body: bytes) -> bool:
    """Posts a request over a connection of its own; whether it was answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_SECONDS)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def honest(port: int, path: str, body: bytes, clients: int, seconds: float) -> dict[str, float]:
    """Lets honest clients ask for so long; p50 and p99 in ms, answers a second, and failures."""
    until = time.monotonic() + seconds
    times: list[float] = []
    failed: list[float] = []

    def run() -> None:
        while time.monotonic() < until:
            began = time.perf_counter()
            good = ask(port, path, body)
            took = time.perf_counter() - began
            times.append(took if good else GIVE_UP_SECONDS)
            if not good:
                failed.append(took)
                time.sleep(0.05)  # A refused connection: not a busy loop.

    threads = [threading.Thread(target=run) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    times.sort()
    return {
        "p50": 1000 * times[len(times) // 2],
        "p99": 1000 * times[min(len(times) - 1, int(len(times) * 0.99))],
        "rate": (len(times) - len(failed)) / took,
        "requests": len(times),
        "failed": len(failed),
    }


def measure(root: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures one checkout, with a new server for each kind of slow clients."""
    image = base64.b64encode(arguments.image.read_bytes()).decode()
    body = json.dumps({"instances": [{"b64": image}]}).encode()
    path = f"/v1/models/{arguments.export.name}:predict"
    found = []
    for kind in arguments.kinds:
        with serving(root, arguments.export, arguments.files) as port:
            honest(port, path, body, arguments.honest, 1.0)  # Warms up.
            count = 0 if kind == "none" else arguments.slow
            with slow_clients(kind, port, count, path, body) as slow:
                time.sleep(SETTLE_SECONDS if count else 0)
                figures: dict[str, Any] = honest(
                    port, path, body, arguments.honest, arguments.seconds
                )
        figures |= {"kind": kind, **slow}
        found.append(figures)
        print(
            f"{kind:<12}{figures['rate']:7.1f}/s  p50 {figures['p50']:8.1f}  "
            f"p99 {figures['p99']:8.1f} ms  {figures['failed']} of {figures['requests']} failed  "
            f"{figures['connections']} connections of slow clients",
            flush=True,
        )
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", type=Path, metavar="EXPORT")
    parser.add_argument("image", type=Path, metavar="IMAGE")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--slow", type=int, default=1100, help="slow clients")
    parser.add_argument("--honest", type=int, default=8, help="honest clients")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--files", type=int, default=1024, help="the server's limit of open files")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    arguments.export = arguments.export.resolve()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    document: dict[str, Any] = {"slow": arguments.slow, "honest": arguments.honest}
    sides = {"before": arguments.before, "now": ROOT} if arguments.before else {"now": ROOT}
    for side, root in sides.items():
        print(f"{side}:", flush=True)
        document[side] = measure(root.resolve(), arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
