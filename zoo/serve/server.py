"""Runs the server: opens the socket, loads the model, handles signals, stops."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from zoo.errors import EnvironmentFault, Interrupted, UsageError
from zoo.serve.app import App
from zoo.serve.connection import Connection
from zoo.serve.connections import Connections
from zoo.serve.hosts import Hosts
from zoo.serve.limits import BACKLOG, ConnectionLimits, RequestLimits, raise_file_limit
from zoo.serve.model_path import ModelPath
from zoo.serve.queued_request import BatchLimits
from zoo.serve.servable import Servable, prepare
from zoo.serve.versions import Versions

STOP_SECONDS = 30
UNSENT_BYTES = 1 << 16  # Of a connection's answers, held by the system until they can be sent.


@dataclass(frozen=True)
class ServerSettings:
    """How to serve.

    Attributes:
        host: the address to listen on.
        port: 0 takes any free one.
        poll_seconds: between two looks for new versions; 0 for none.
        all_versions: serve all versions, not only the newest.
        access_log: print a line on stderr for each request.
        batch_limits: of batches and their queue.
        request_limits: limits of requests.
        connection_limits: limits of connections.
        allowed_hosts: names, beside its own, that requests may call the server by.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    poll_seconds: float = 1.0
    all_versions: bool = False
    access_log: bool = False
    batch_limits: BatchLimits = field(default_factory=BatchLimits)
    request_limits: RequestLimits = field(default_factory=RequestLimits)
    connection_limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    allowed_hosts: tuple[str, ...] = ()


class Server(uvicorn.Server):
    """uvicorn's server that also looks for new versions, and exits with 0 after a signal.

    Args:
        app: the application.
        settings: how to serve it.
        ready: called once the server listens.
    """

    def __init__(self, app: App, settings: ServerSettings, ready: Callable[[], None]) -> None:
        limits = settings.connection_limits
        self.connections = Connections(limits)
        config = uvicorn.Config(
            app,
            http=partial(Connection, connections=self.connections),  # type: ignore[arg-type]
            ws="none",
            backlog=BACKLOG,
            timeout_keep_alive=math.ceil(limits.keep_alive_seconds),
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
        """Starts to listen and to look for new versions."""
        await super().startup(sockets)
        if self._settings.poll_seconds > 0:
            watch = self.app.versions.watch(self._settings.poll_seconds)
            self._watch_task = asyncio.create_task(watch)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers the requests in flight, and stops."""
        self.app.stopping = True
        if self._settings.poll_seconds > 0:
            self._watch_task.cancel()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Like uvicorn's, but does not raise the signal again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Only the main thread may set handlers.
            return
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stops after the requests in flight; at a second signal, at once."""
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
        model_path: the model.
        settings: how to serve it.
        ready: called with the app and its URL once it accepts requests.
        note: called with a message for the user about what was loaded and unloaded.

    Raises:
        UsageError: the host has no address, or an allowed host is no name.
        EnvironmentFault: the address cannot be listened on.
        DataError: the model cannot be loaded.
        Interrupted: a second signal broke off requests in flight.
    """
    Hosts(settings.host, settings.allowed_hosts)
    listening = bind(settings.host, settings.port)  # Fails before the slow loading.
    limits = settings.connection_limits
    files = raise_file_limit(limits.total)
    if files < limits.total:
        note(
            f"at most {files} connections, not {limits.total}: this process may open no more files "
            "(`ulimit -n`)"
        )
        settings = replace(settings, connection_limits=replace(limits, total=files))
    try:
        prepare()
        app = load_app(model_path, settings, note)
        server = Server(app, settings, lambda: ready(app, url(listening)))
        if settings.access_log:
            _log_requests()
        server.run([listening])
    finally:
        listening.close()
    if server.force_exit:
        raise Interrupted("stopped before all requests were answered")
    app.batcher.close()


def load_app(model_path: ModelPath, settings: ServerSettings, note: Callable[[str], None]) -> App:
    """Loads and warms up a model, and makes the application that serves it.

    Args:
        model_path: the model.
        settings: how to serve it.
        note: called with a message for the user about what was loaded and unloaded.

    Raises:
        DataError: the model cannot be loaded.
    """

    def load(folder: Path, version: int) -> Servable:
        servable = Servable(folder, model_path.name, version)
        servable.warm_up(settings.batch_limits.batch_size, note)
        return servable

    versions = Versions(model_path, load, note, settings.all_versions)
    versions.start()
    hosts = Hosts(settings.host, settings.allowed_hosts)
    return App(versions, settings.batch_limits, settings.request_limits, hosts)


def _log_requests() -> None:
    logger = logging.getLogger("uvicorn.access")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())
    logger.propagate = False


def bind(host: str, port: int) -> socket.socket:
    """Opens a listening socket.

    Args:
        host: a name or an address.
        port: 0 takes any free one.

    Raises:
        UsageError: the host has no address.
        EnvironmentFault: the address is in use, or may not be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(f"--host {host}: has no address: {error}") from None
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:  # Else the system takes megabytes for a client that reads nothing.
        with suppress(OSError):
            listening.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)
    try:
        listening.bind(address)
        listening.listen()  # Else two servers could hold one port until the first request.
    except OSError as error:
        listening.close()
        raise EnvironmentFault(_bind_error(host, port, error)) from None
    return listening


def _bind_error(host: str, port: int, error: OSError) -> str:
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
    """The URL for a client on this machine; the loopback address stands for any address."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
