"""Routes: TensorFlow Serving's REST API below /v1, the page, health checks and metrics."""

from __future__ import annotations

import asyncio
import importlib.resources
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zoo.serve import examples, protocol
from zoo.serve.batching import Batcher, BatchLimits
from zoo.serve.body import Disconnected, Message, Receive, expected_bytes, read_body
from zoo.serve.image_size import count_row_pixels
from zoo.serve.metrics import CONTENT_TYPE, Metrics
from zoo.serve.servable import Servable, serialize_examples
from zoo.serve.signature import CLASSIFY, REGRESS, Array, Signature
from zoo.serve.status import StatusError, invalid
from zoo.serve.versions import INT64_MAX, Versions, not_found

log = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[None]]
Scope = Any

JSON = b"application/json"
THREAD_BYTES = 1 << 18  # Larger bodies are parsed on a thread, so that other requests go on.

_PREDICTION = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:(classify|regress|predict)",
    re.ASCII | re.IGNORECASE,
)
_MODEL = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(?:/(metadata))?",
    re.ASCII | re.IGNORECASE,
)
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; style-src 'unsafe-inline' 'self'; "
        "script-src 'unsafe-inline' 'self'"
    ),
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


@dataclass(frozen=True)
class RequestLimits:
    """Limits of the size of requests.

    Attributes:
        body_bytes: of one request.
        image_pixels: of one encoded image.
    """

    body_bytes: int = 32_000_000
    image_pixels: int = 50_000_000

    @property
    def total_bytes(self) -> int:
        """Bytes of all requests in memory together."""
        return 8 * self.body_bytes


class App:
    """An ASGI application over the versions of one model.

    Args:
        versions: the versions.
        batch_limits: of batches and their queue.
        limits: limits of the size of requests.
    """

    def __init__(
        self, versions: Versions[Servable], batch_limits: BatchLimits, limits: RequestLimits
    ) -> None:
        self.versions = versions
        self.limits = limits
        self.metrics = Metrics()
        self.batcher = Batcher(
            replace(batch_limits, weight=limits.image_pixels), self.metrics.batch
        )
        self.stopping = False
        self._reserved_bytes = 0  # Of bodies in memory, or being received.
        self.metrics.watch(lambda: self.batcher.waiting, versions.model_path.name, self._newest)
        self._page = _page()
        self._others = Starlette(
            routes=[
                Route("/", self._root),
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ],
            exception_handlers={404: _no_route, 405: _no_route},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request. Requests of the API take a short way past Starlette."""
        if scope["type"] != "http" or scope["path"][:4].lower() != "/v1/":
            await self._others(scope, receive, send)
            return
        started = time.perf_counter()
        method = "other"
        headers = [(b"content-type", JSON)]
        try:
            method, handler = self._route(scope)
            code, answer = 200, await handler(scope, receive)
        except Disconnected:
            return
        except StatusError as error:
            code, answer = error.http, protocol.dump({"error": error.message})
            if code == 503:
                headers.append((b"retry-after", b"1"))
            if code in (408, 413):
                headers.append((b"connection", b"close"))
        except Exception:
            log.exception("%s %s: failed", scope["method"], scope["path"])
            code, answer = 500, protocol.dump({"error": "Internal error"})
        headers.append((b"content-length", str(len(answer)).encode()))
        self.metrics.request(method, code, time.perf_counter() - started)
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _route(self, scope: Scope) -> tuple[str, Callable[[Scope, Receive], Awaitable[bytes]]]:
        """The method's name in the metrics, and its handler."""
        path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
        if scope["method"] == "POST" and (match := _PREDICTION.fullmatch(path)):
            name, version, label, method = match.groups()
            method = method.lower()
            return method, partial(self._answer, method, self._finder(name, version, label))
        if scope["method"] == "GET" and (match := _MODEL.fullmatch(path)):
            name, version, label, metadata = match.groups()
            number = _number(version)
            if name is None and version is None and label is None and metadata is None:
                return "models", self._models
            if name is None:
                raise invalid("Missing model name in request.")
            if metadata:
                return "metadata", partial(self._metadata, self._finder(name, version, label))
            return "status", partial(self._status, unquote(name), number)
        raise invalid(f"Malformed request: {scope['method']} {path}")

    def _finder(self, name: str, version: str | None, label: str | None) -> Callable[[], Servable]:
        """A function that finds the requested version; called after the body was checked."""
        number = _number(version)

        def find() -> Servable:
            if label is not None:
                raise invalid(f"Unrecognized servable version label: {unquote(label)}")
            if unquote(name) != self.versions.model_path.name:
                raise not_found(unquote(name), number)
            return self.versions.get(number)

        return find

    async def _answer(
        self, method: str, find: Callable[[], Servable], scope: Scope, receive: Receive
    ) -> bytes:
        self.batcher.require_room()  # Before a body takes memory.
        size = expected_bytes(scope["headers"], self.limits.body_bytes)
        if self._reserved_bytes and self._reserved_bytes + size > self.limits.total_bytes:
            raise StatusError(
                "UNAVAILABLE", "The requests in work take all memory there is for them"
            )
        self._reserved_bytes += size
        try:
            body = await read_body(receive, scope["headers"], self.limits.body_bytes)
            if method == "predict":
                return await self._predict(find, body)
            return await self._examples(method, find, body)
        finally:
            self._reserved_bytes -= size

    async def _predict(self, find: Callable[[], Servable], body: bytes) -> bytes:
        servable: Servable | None = None

        def signature(name: str) -> Signature:
            nonlocal servable
            servable = find()
            return servable.find(name)

        def parse() -> tuple[protocol.PredictRequest, Array | None]:
            request = protocol.parse_predict(body, signature)
            infos = request.signature.inputs
            files = [a for name, a in request.inputs.items() if infos[name].dtype == "string"]
            return request, count_row_pixels(files, self.limits.image_pixels)

        request, weights = await asyncio.to_thread(parse) if len(body) > THREAD_BYTES else parse()
        if servable is None:
            raise RuntimeError("parsing asked for no signature")
        outputs = await self._run(servable, request.signature, request.inputs, weights)
        return protocol.answer(outputs, request.by_row)

    async def _examples(self, method: str, find: Callable[[], Servable], body: bytes) -> bytes:
        api_method = CLASSIFY if method == "classify" else REGRESS
        large = len(body) > THREAD_BYTES
        parse = partial(examples.parse_examples, body)
        request = await asyncio.to_thread(parse) if large else parse()
        servable = find()
        name = request.signature_name
        signature = examples.require_method(servable.signatures.get(name), name, api_method)
        serialize = partial(serialize_examples, request.examples)
        inputs = await asyncio.to_thread(serialize) if large else serialize()
        outputs = await self._run(servable, signature, {"inputs": inputs})
        answer = examples.answer_classify if method == "classify" else examples.answer_regress
        return answer(outputs, len(request.examples))

    async def _run(
        self,
        servable: Servable,
        signature: Signature,
        inputs: dict[str, Array],
        weights: Array | None = None,
    ) -> dict[str, Array]:
        with servable.used():
            key = (servable.version, id(servable), signature.name)
            outputs = await self.batcher.submit(
                key, servable.runners[signature.name], inputs, signature.batches, weights
            )
        first = next(iter(inputs.values()))
        self.metrics.images(len(first) if first.ndim else 1)
        return dict(outputs)

    async def _status(self, name: str, version: int | None, scope: Scope, _: Receive) -> bytes:
        if name == self.versions.model_path.name:
            return protocol.dump(self.versions.status(version))
        which = "any versions" if version is None else f"version {version}"
        raise StatusError("NOT_FOUND", f"Could not find {which} of model {name}")

    async def _metadata(self, find: Callable[[], Servable], scope: Scope, _: Receive) -> bytes:
        return protocol.dump(find().metadata)

    async def _models(self, scope: Scope, _: Receive) -> bytes:
        """Lists the models, for the page; TensorFlow Serving has no such answer."""
        newest = self.versions.newest
        if newest is None:
            return protocol.dump({"models": []})
        entry = {
            "name": self.versions.model_path.name,
            "version": newest.version,
            "signatures": list(newest.signatures),
            "labels": newest.labels,
            "image": newest.image,
        }
        return protocol.dump({"models": [entry]})

    def _newest(self) -> int:
        return 0 if self.versions.newest is None else self.versions.newest.version

    async def _root(self, request: Request) -> Response:
        if self._page is None:
            return _no_route(request, None)
        return Response(self._page, media_type="text/html", headers=_PAGE_HEADERS)

    async def _healthz(self, request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def _readyz(self, request: Request) -> Response:
        if self.stopping or self.versions.newest is None:
            why = "stopping" if self.stopping else "no version is loaded"
            return Response(f"{why}\n", 503, media_type="text/plain")
        return Response("ok\n", media_type="text/plain")

    async def _metrics(self, request: Request) -> Response:
        return Response(self.metrics.text(), headers={"content-type": CONTENT_TYPE})


def _number(version: str | None) -> int | None:
    if version is None:
        return None
    if len(version) > 19 or int(version) > INT64_MAX:
        raise invalid(f"Failed to convert version: {version} to numeric.")
    return int(version)


def _no_route(request: Request, error: Any) -> Response:
    code = getattr(error, "status_code", 404)
    text = f"{request.method} {request.url.path}: not here. The REST API is below /v1/models."
    return Response(protocol.dump({"error": text}), code, media_type="application/json")


def _page() -> bytes | None:
    """The page at /, if it is installed."""
    page = importlib.resources.files("zoo.serve").joinpath("page.html")
    return page.read_bytes() if page.is_file() else None
