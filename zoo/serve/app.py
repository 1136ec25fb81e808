"""The application: TensorFlow Serving's REST API below /v1, the page, health checks and metrics.

By hand, without Starlette: the table in `routes` is also the server's description in OpenAPI.
"""

from __future__ import annotations

import importlib.resources
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from zoo.serve import openapi, protocol
from zoo.serve.batching import Batcher
from zoo.serve.body import Disconnected, Message, Receive
from zoo.serve.call import Answer, Call, Scope, version_number
from zoo.serve.hosts import Hosts
from zoo.serve.limits import RequestLimits
from zoo.serve.metrics import Metrics
from zoo.serve.predictions import Predictions, find_servable
from zoo.serve.queued_request import BatchLimits
from zoo.serve.routes import HTML, PROMETHEUS, TEXT, Match, find
from zoo.serve.servable import Servable
from zoo.serve.signature import Signature
from zoo.serve.status import StatusError, incident, invalid
from zoo.serve.versions import Versions

log = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[None]]

_NAMELESS = re.compile(
    r"/v1/models/(versions/\d+|labels/[^/:]+)(/metadata)?", re.ASCII | re.IGNORECASE
)
_PAGE_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; style-src 'unsafe-inline' 'self'; "
        b"script-src 'unsafe-inline' 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
)


class App:
    """An ASGI application over the versions of one model.

    Args:
        versions: the versions.
        batch_limits: of batches and their queue.
        limits: limits of requests.
        hosts: the names that requests may call the server by.
    """

    def __init__(
        self,
        versions: Versions[Servable],
        batch_limits: BatchLimits,
        limits: RequestLimits,
        hosts: Hosts,
    ) -> None:
        self.versions = versions
        self.metrics = Metrics()
        self.batcher = Batcher(
            replace(batch_limits, weight=limits.image_pixels), self.metrics.batch
        )
        self.predictions = Predictions(versions, self.batcher, limits, self.metrics)
        self.stopping = False
        self.metrics.watch(lambda: self.batcher.waiting, versions.model_path.name, self._newest)
        self._hosts = hosts
        self._page = _page()
        self._described: dict[str, Signature] | None = None  # The newest version's.
        self._description = b""
        self._handlers: dict[str, Callable[[Call], Awaitable[Answer]]] = {
            "predict": self.predictions.predict,
            "classify": self.predictions.classify,
            "regress": self.predictions.regress,
            "models": self._models,
            "status": self._status,
            "metadata": self._metadata,
            "page": self._root,
            "healthz": self._healthz,
            "readyz": self._readyz,
            "metrics": self._metrics,
            "openapi": self._openapi,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            raise NotImplementedError(f"this application has no {scope['type']}")
        started = time.perf_counter()
        path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
        match = find(scope["method"], path)
        try:
            answer = await self._answer(match, path, scope, receive)
        except Disconnected:
            return
        except StatusError as error:
            answer = _refusal(error)
        except Exception:
            see = incident(log, "%s %s: failed", scope["method"], path)
            answer = _refusal(StatusError("INTERNAL", f"Internal error. {see}"))
        if path[:4].lower() == "/v1/":
            name = match.route.name if match.route else "other"
            self.metrics.request(name, answer.code, time.perf_counter() - started)
        headers = [
            (b"content-type", answer.media_type.encode()),
            *answer.headers,
            (b"content-length", str(len(answer.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": answer.code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, match: Match, path: str, scope: Scope, receive: Receive) -> Answer:
        host = self._hosts.require(scope["headers"], scope["http_version"])
        if match.route is not None:
            version = version_number(match.parameters.get("version"))
            call = Call(scope, receive, match.parameters, version, host)
            return await self._handlers[match.route.name](call)
        method = scope["method"]
        if path[:4].lower() == "/v1/":
            if method == "GET" and _NAMELESS.fullmatch(path):
                raise invalid("Missing model name in request.")
            raise invalid(f"Malformed request: {method} {path}{self._expected(method, path)}")
        if match.methods:
            allowed = ", ".join(match.methods)
            answer = _error(405, f"{method} {path}: not here. Expected {allowed}.")
            return replace(answer, headers=((b"allow", allowed.encode()),))
        name = self.versions.model_path.name
        return _error(
            404,
            f"{method} {path}: not here. The REST API is below /v1/models. Expected "
            f"POST /v1/models/{name}:predict, or GET /v1/models/{name}.",
        )

    def _expected(self, method: str, path: str) -> str:
        """What a request probably meant, as an end of the error's sentence."""
        predict = f"/v1/models/{self.versions.model_path.name}:predict"
        if method == "POST" or path.lower().endswith((":predict", "/predict")):
            return f". Expected POST {predict}"
        return ""

    async def _status(self, call: Call) -> Answer:
        if call.model == self.versions.model_path.name:
            return Answer(protocol.dump(self.versions.status(call.version)))
        which = "any versions" if call.version is None else f"version {call.version}"
        raise StatusError("NOT_FOUND", f"Could not find {which} of model {call.model}")

    async def _metadata(self, call: Call) -> Answer:
        return Answer(protocol.dump(find_servable(self.versions, call).metadata))

    async def _models(self, call: Call) -> Answer:
        """Lists the models, for the page; TensorFlow Serving has no such answer."""
        newest = self.versions.newest
        models: list[dict[str, Any]] = []
        if newest is not None:
            entry = {
                "name": self.versions.model_path.name,
                "version": newest.version,
                "signatures": list(newest.signatures),
                "labels": newest.labels,
                "image": newest.image,
                "multi_label": newest.multi_label,
            }
            models.append(entry)
        return Answer(protocol.dump({"models": models}))

    def _newest(self) -> int:
        return 0 if self.versions.newest is None else self.versions.newest.version

    async def _root(self, call: Call) -> Answer:
        if self._page is None:
            return _error(404, "The page is not installed. The REST API is below /v1/models.")
        return Answer(self._page, media_type=HTML, headers=_PAGE_HEADERS)

    async def _healthz(self, call: Call) -> Answer:
        return Answer(b"ok\n", media_type=TEXT)

    async def _readyz(self, call: Call) -> Answer:
        if self.stopping or self.versions.newest is None:
            why = "stopping" if self.stopping else "no version is loaded"
            return Answer(f"{why}\n".encode(), 503, TEXT)
        return Answer(b"ok\n", media_type=TEXT)

    async def _metrics(self, call: Call) -> Answer:
        return Answer(self.metrics.text(), media_type=PROMETHEUS)

    async def _openapi(self, call: Call) -> Answer:
        signatures = {} if self.versions.newest is None else self.versions.newest.signatures
        if signatures is not self._described:
            document = openapi.describe(self.versions.model_path.name, signatures)
            self._described, self._description = signatures, protocol.dump(document)
        return Answer(self._description)


def _refusal(error: StatusError) -> Answer:
    answer = _error(error.http, error.message)
    if error.http == 503:
        return replace(answer, headers=((b"retry-after", b"1"),))
    if error.http in (408, 413):
        return replace(answer, headers=((b"connection", b"close"),))
    return answer


def _error(code: int, message: str) -> Answer:
    return Answer(protocol.dump({"error": message}), code)


def _page() -> bytes | None:
    """The page at /, if it is installed."""
    page = importlib.resources.files("zoo.serve").joinpath("page.html")
    return page.read_bytes() if page.is_file() else None
