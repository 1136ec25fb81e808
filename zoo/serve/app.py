"""The routes: TensorFlow Serving's REST API below /v1, and what operations needs beside it."""

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

from zoo.serve import examples, images, protocol
from zoo.serve.batching import Batcher, BatchLimits
from zoo.serve.body import Disconnected, Message, Receive, expected, read
from zoo.serve.metrics import CONTENT_TYPE, Metrics
from zoo.serve.servable import Servable, serialized
from zoo.serve.signature import CLASSIFY, REGRESS, Array, Signature
from zoo.serve.status import StatusError, invalid
from zoo.serve.versions import INT64, Versions, not_found

log = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[None]]
Scope = Any

JSON = b"application/json"
LARGE = 1 << 18  # Bytes of a body that is parsed aside, so that the others need not wait for it.

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
    """Args:
    body: bytes of a request at most.
    pixels: of an encoded image at most.
    """

    body: int = 32_000_000
    pixels: int = 50_000_000

    @property
    def bodies(self) -> int:
        """Bytes of all requests that are in memory at once."""
        return 8 * self.body


class App:
    """An ASGI application over the versions of one model.

    Args:
        versions: of the model.
        limits: of batches and their queue.
        bounds: of requests.
    """

    def __init__(
        self, versions: Versions[Servable], limits: BatchLimits, bounds: RequestLimits
    ) -> None:
        self.versions = versions
        self.bounds = bounds
        self.metrics = Metrics()
        self.batcher = Batcher(replace(limits, weight=bounds.pixels), self.metrics.batch)
        self.stopping = False
        self._reserved = 0  # Bytes of bodies that are in memory, or on their way.
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
        """ASGI. What counts is answered here, and the rest by Starlette."""
        if scope["type"] != "http" or scope["path"][:4].lower() != "/v1/":
            await self._others(scope, receive, send)
            return
        started = time.perf_counter()
        method = "other"
        headers = [(b"content-type", JSON)]
        try:
            method, answering = self._route(scope)
            code, answer = 200, await answering(scope, receive)
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
        """What answers a request, and its name in the metrics."""
        path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
        if scope["method"] == "POST" and (found := _PREDICTION.fullmatch(path)):
            name, version, label, method = found.groups()
            method = method.lower()
            return method, partial(self._answer, method, self._finder(name, version, label))
        if scope["method"] == "GET" and (found := _MODEL.fullmatch(path)):
            name, version, label, wanted = found.groups()
            number = _number(version)
            if name is None and version is None and label is None and wanted is None:
                return "models", self._models
            if name is None:
                raise invalid("Missing model name in request.")
            if wanted:
                return "metadata", partial(self._metadata, self._finder(name, version, label))
            return "status", partial(self._status, unquote(name), number)
        raise invalid(f"Malformed request: {scope['method']} {path}")

    def _finder(self, name: str, version: str | None, label: str | None) -> Callable[[], Servable]:
        """Gives the version that a path asks for, when it is time: a wrong body is told first."""
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
        self.batcher.require_room()  # Before memory is spent on a body.
        size = expected(scope["headers"], self.bounds.body)
        if self._reserved and self._reserved + size > self.bounds.bodies:
            raise StatusError(
                "UNAVAILABLE", "The requests in work take all memory there is for them"
            )
        self._reserved += size
        try:
            body = await read(receive, scope["headers"], self.bounds.body)
            if method == "predict":
                return await self._predict(find, body)
            return await self._examples(method, find, body)
        finally:
            self._reserved -= size

    async def _predict(self, find: Callable[[], Servable], body: bytes) -> bytes:
        servable: Servable | None = None

        def signature(name: str) -> Signature:
            nonlocal servable
            servable = find()
            return servable.find(name)

        def parsed() -> tuple[protocol.Prediction, Array | None]:
            request = protocol.parse_predict(body, signature)
            told = request.signature.inputs
            files = [a for name, a in request.inputs.items() if told[name].dtype == "string"]
            return request, images.weights(files, self.bounds.pixels)

        request, weights = await asyncio.to_thread(parsed) if len(body) > LARGE else parsed()
        if servable is None:
            raise RuntimeError("parsing asked for no signature")
        outputs = await self._run(servable, request.signature, request.inputs, weights)
        return protocol.answer(outputs, request.by_row)

    async def _examples(self, method: str, find: Callable[[], Servable], body: bytes) -> bytes:
        of = CLASSIFY if method == "classify" else REGRESS
        large = len(body) > LARGE
        parse = partial(examples.parse_examples, body)
        request = await asyncio.to_thread(parse) if large else parse()
        servable = find()
        name = request.signature_name
        signature = examples.require_method(servable.signatures.get(name), name, of)
        made = partial(serialized, request.examples)
        outputs = await self._run(
            servable, signature, {"inputs": await asyncio.to_thread(made) if large else made()}
        )
        answer = examples.answer_classify if of == CLASSIFY else examples.answer_regress
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
        """The models that there are: what the page needs, and TensorFlow Serving has not."""
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
    if len(version) > 19 or int(version) > INT64:
        raise invalid(f"Failed to convert version: {version} to numeric.")
    return int(version)


def _no_route(request: Request, error: Any) -> Response:
    code = getattr(error, "status_code", 404)
    text = f"{request.method} {request.url.path}: not here. The REST API is below /v1/models."
    return Response(protocol.dump({"error": text}), code, media_type="application/json")


def _page() -> bytes | None:
    """The page at /, where it is installed."""
    page = importlib.resources.files("zoo.serve").joinpath("page.html")
    return page.read_bytes() if page.is_file() else None
