"""The socket, the signals, and a server's life from loading to its last answer."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from zoo.errors import EnvironmentFault, Interrupted, UsageError
from zoo.serve.app import App, RequestLimits
from zoo.serve.batching import BatchLimits
from zoo.serve.connection import Connection
from zoo.serve.model_path import ModelPath
from zoo.serve.servable import Servable, prepare
from zoo.serve.versions import Versions

STOP_SECONDS = 30


@dataclass(frozen=True)
class ServerSettings:
    """Args:
    host: address to listen on.
    port: 0 takes any free one.
    poll_seconds: between two looks for new versions; 0 for none.
    every_version: serve all versions, not only the newest.
    access_log: a line on stderr for each request.
    limits: of batches.
    bounds: of requests.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    poll_seconds: float = 1.0
    every_version: bool = False
    access_log: bool = False
    limits: BatchLimits = field(default_factory=BatchLimits)
    bounds: RequestLimits = field(default_factory=RequestLimits)


class Server(uvicorn.Server):
    """uvicorn's server, which says when it listens, looks for new versions, and ends with 0.

    Args:
        app: what is served.
        settings: how.
        ready: is called once the server listens.
    """

    def __init__(self, app: App, settings: ServerSettings, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=settings.access_log,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        super().__init__(config)
        self.app = app
        self._settings = settings
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._settings.poll_seconds > 0:
            watching = self.app.versions.watch(self._settings.poll_seconds)
            self._watching = asyncio.create_task(watching)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.app.stopping = True
        if self._settings.poll_seconds > 0:
            self._watching.cancel()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised once more at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # No other thread may set a handler.
            return
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal lets what is in flight finish, the second does not wait for it."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = self.app.stopping = True


def serve(
    model_path: ModelPath,
    settings: ServerSettings,
    ready: Callable[[App, str], None],
    note: Callable[[str], None] = lambda text: None,
) -> None:
    """Serves until a signal says stop.

    Args:
        model_path: where the model is.
        settings: how it is served.
        ready: is called with the app and its URL once it can be asked.
        note: is told of what is loaded and unloaded.

    Raises:
        EnvironmentFault: the address cannot be listened on.
        DataError: the model cannot be loaded.
        Interrupted: a second signal broke off what was in flight.
    """
    listening = bind(settings.host, settings.port)  # Before seconds are spent on loading.
    try:
        prepare()
        app = made(model_path, settings, note)
        server = Server(app, settings, lambda: ready(app, url(listening)))
        if settings.access_log:
            _log_requests()
        server.run([listening])
    finally:
        listening.close()
    if server.force_exit:
        raise Interrupted("stopped before all requests were answered")
    app.batcher.close()


def made(model_path: ModelPath, settings: ServerSettings, note: Callable[[str], None]) -> App:
    """An application with what is there now loaded and warmed up.

    Raises:
        DataError: the model cannot be loaded.
    """

    def load(folder: Path, version: int) -> Servable:
        servable = Servable(folder, model_path.name, version)
        servable.warm_up(settings.limits.batch_size, note)
        return servable

    versions = Versions(model_path, load, note, settings.every_version)
    versions.start()
    return App(versions, settings.limits, settings.bounds)


def _log_requests() -> None:
    requests = logging.getLogger("uvicorn.access")
    requests.setLevel(logging.INFO)
    requests.addHandler(logging.StreamHandler())
    requests.propagate = False


def bind(host: str, port: int) -> socket.socket:
    """A socket with an address, that does not listen yet.

    Raises:
        UsageError: the host has no address.
        EnvironmentFault: the address is taken, or not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(f"--host {host}: has no address: {error}") from None
    found = socket.socket(family, kind, protocol)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
        found.listen()  # Else two servers could hold one port until the first request.
    except OSError as error:
        found.close()
        raise EnvironmentFault(_refused(host, port, error)) from None
    return found


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use by another process. Stop it (`ss -ltnp` names it), "
            "or choose another port with --port; --port 0 takes any free one."
        )
    if error.errno == errno.EACCES:
        return (
            f"port {port} is not ours to take: {error.strerror}. Choose one from 1024 with --port."
        )
    return f"cannot listen on {host}, port {port}: {error.strerror}. See --host and --port."


def url(listening: socket.socket) -> str:
    """What a client writes; an address that means all is written as the loopback one."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
