"""A server in a thread, on a free loopback port, and a client that knows nothing but HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.serve import models

pytest.importorskip("uvicorn")

PICTURES = "/v1/models/pictures"
PREDICT = f"{PICTURES}:predict"


@dataclass
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        result = self.json
        assert result.keys() == {"error"}
        return str(result["error"])


class Client:
    """Sends each request over a connection of its own."""

    def __init__(self, port: int, app: Any = None, server: Any = None) -> None:
        self.port = port
        self.app = app
        self.server = server

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A dict is sent as JSON, bytes and text as they are."""
        if isinstance(body, dict | list):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        return self.ask("POST", path, body)


@contextmanager
def served(folder: Path, **changes: Any) -> Iterator[Client]:
    """A running server over a folder of versions.

    Args:
        folder: as of `zoo serve`.
        changes: fields of `ServerSettings`.
    """
    from zoo.serve import model_path, server

    settings = server.ServerSettings(port=0, **{"poll_seconds": 0.0, **changes})
    listening = server.bind(settings.host, settings.port)
    app = server.load_app(model_path.find(str(folder)), settings, lambda text: None)
    ready = threading.Event()
    running = server.Server(app, settings, ready.set)
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    try:
        assert ready.wait(20)
        yield Client(listening.getsockname()[1], app, running)
    finally:
        running.should_exit = True
        thread.join(20)
        listening.close()
        app.batcher.close()
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of a model of tests/serve/models.py, written once."""
    base = tmp_path_factory.mktemp("served")
    versions = {"half_plus_three": "00000123", "pictures": "1", "several": "1"}

    def find(name: str) -> Path:
        folder = base / name
        if not folder.exists():
            getattr(models, name)(folder / versions[name])
        return folder

    return find


@pytest.fixture(scope="session")
def half(model_folder: Callable[[str], Path]) -> Iterator[Client]:
    """The toy model of TensorFlow Serving's documentation, served."""
    with served(model_folder("half_plus_three")) as client:
        yield client


@pytest.fixture(scope="session")
def pictures(model_folder: Callable[[str], Path]) -> Iterator[Client]:
    """A classifier of images, served."""
    with served(model_folder("pictures")) as client:
        yield client


@pytest.fixture(scope="session")
def several(model_folder: Callable[[str], Path]) -> Iterator[Client]:
    """Signatures of every kind, served."""
    with served(model_folder("several")) as client:
        yield client


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def instances(*files: bytes) -> dict[str, Any]:
    return {"instances": [b64(data) for data in files]}


def top(answer: Any) -> list[str]:
    return [row["classes"][0] for row in answer.json["predictions"]]


def metric(client: Client, name: str) -> float:
    text = client.get("/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def wait_for(happened: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)
