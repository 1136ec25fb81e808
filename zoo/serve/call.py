"""A request on its way through the server, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from zoo.serve.body import Receive
from zoo.serve.hosts import split_host
from zoo.serve.routes import JSON
from zoo.serve.status import invalid
from zoo.serve.versions import INT64_MAX

Scope = Any
HeaderList = tuple[tuple[bytes, bytes], ...]


_DISCONNECTED, _ON_DISCONNECT = "zoo.disconnected", "zoo.on_disconnect"


def disconnect(scope: Scope) -> None:
    """Tells a request that its client is gone.

    Args:
        scope: of the request.
    """
    scope[_DISCONNECTED] = True
    do = scope.pop(_ON_DISCONNECT, None)
    if do is not None:
        do()


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        scope: of ASGI.
        receive: of ASGI.
        parameters: of the path, as sent.
        version: the version's number in the path.
        host: the Host header; empty if there is none.
    """

    scope: Scope
    receive: Receive
    parameters: Mapping[str, str]
    version: int | None = None
    host: str = ""

    @property
    def model(self) -> str:
        """The model's name in the path."""
        return unquote(self.parameters["model"])

    @property
    def label(self) -> str | None:
        """The version's label in the path."""
        label = self.parameters.get("label")
        return None if label is None else unquote(label)

    def header(self, name: bytes) -> str:
        """The value of a header; empty if there is none."""
        values = [value for key, value in self.scope["headers"] if key == name]
        return values[0].decode("latin-1") if values else ""

    @property
    def disconnected(self) -> bool:
        """Whether the client is gone: `disconnect` was called."""
        return bool(self.scope.get(_DISCONNECTED))

    def on_disconnect(self, do: Callable[[], object]) -> None:
        """Sets a function that is called once if the client goes before `settle`."""
        self.scope[_ON_DISCONNECT] = do
        if self.disconnected:
            disconnect(self.scope)

    def settle(self) -> None:
        """Forgets the function of `on_disconnect`."""
        self.scope.pop(_ON_DISCONNECT, None)

    def model_url(self, model: str) -> str:
        """The model's URL, by the name that the client calls the server by."""
        host = self.host if split_host(self.host) else "localhost"
        return f"{self.scope.get('scheme', 'http')}://{host}/v1/models/{quote(model)}"


def version_number(version: str | None) -> int | None:
    """The number of a version in a path; None if there is none.

    Raises:
        StatusError: it is too large.
    """
    if version is None:
        return None
    if len(version) > 19 or int(version) > INT64_MAX:
        raise invalid(f"Failed to convert version: {version[:40]} to numeric.")
    return int(version)


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        body: all of it.
        code: of HTTP.
        media_type: of the body.
        headers: further ones.
    """

    body: bytes
    code: int = 200
    media_type: str = JSON
    headers: HeaderList = ()
