"""Answers `predict`, `classify` and `regress`: body, JSON, batch, answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from zoo.serve import advice, examples, protocol
from zoo.serve.batching import Batcher
from zoo.serve.body import BodyMemory, Disconnected, read_body
from zoo.serve.call import Answer, Call
from zoo.serve.example_request import example_command, example_signature
from zoo.serve.image_size import count_row_pixels
from zoo.serve.json_reader import parse as parse_json
from zoo.serve.limits import RequestLimits
from zoo.serve.metrics import Metrics
from zoo.serve.servable import Servable, serialize_examples
from zoo.serve.signature import CLASSIFY, REGRESS, Array, Signature
from zoo.serve.status import StatusError, invalid
from zoo.serve.versions import Versions, not_found

THREAD_BYTES = 1 << 18  # Larger bodies are parsed on a thread, so that other requests go on.

T = TypeVar("T")


def find_servable(versions: Versions[Servable], call: Call) -> Servable:
    """Finds the version that a request names.

    Args:
        versions: of the model.
        call: the request.

    Raises:
        StatusError: there is none.
    """
    if call.label is not None:
        raise invalid(f"Unrecognized servable version label: {call.label}")
    if call.model != versions.model_path.name:
        raise not_found(call.model, call.version)
    return versions.get(call.version)


class Predictions:
    """Runs the model on requests.

    Args:
        versions: of the model.
        batcher: runs its signatures.
        limits: limits of requests.
        metrics: counts the answered rows.
    """

    def __init__(
        self,
        versions: Versions[Servable],
        batcher: Batcher,
        limits: RequestLimits,
        metrics: Metrics,
    ) -> None:
        self.memory = BodyMemory(limits.total_bytes)
        self._versions = versions
        self._batcher = batcher
        self._limits = limits
        self._metrics = metrics
        self._parsing = asyncio.Lock()  # One large body at a time: parsed, it takes more memory.

    async def predict(self, call: Call) -> Answer:
        """Runs a signature on instances or inputs.

        Raises:
            StatusError: the request is wrong, or the model refused it.
        """
        async with self._body(call) as body:
            parser = _Parser(call, self._versions, self._limits)
            request = await self._parse(body, lambda: parser.parse(body))
            weights = None
            if parser.files:
                count = parser.count_pixels
                weights = await asyncio.to_thread(count) if len(body) > THREAD_BYTES else count()
            servable = parser.require_servable()
            try:
                outputs = await self._run(
                    call, servable, request.signature, request.inputs, weights
                )
            except StatusError as error:
                why = advice.about_arrays(request.inputs.values(), error.message)
                raise parser.advised(error, why) from None
            return Answer(protocol.answer(outputs, request.by_row))

    async def classify(self, call: Call) -> Answer:
        """Runs a signature made for classification on examples."""
        return await self._examples(call, CLASSIFY, examples.answer_classify)

    async def regress(self, call: Call) -> Answer:
        """Runs a signature made for regression on examples."""
        return await self._examples(call, REGRESS, examples.answer_regress)

    async def _examples(self, call: Call, method: str, answer: Callable[..., bytes]) -> Answer:
        async with self._body(call) as body:
            parser = _Parser(call, self._versions, self._limits)
            request = await self._parse(body, lambda: parser.parse_examples(body))
            servable = find_servable(self._versions, call)
            name = request.signature_name
            signature = examples.require_method(servable.signatures.get(name), name, method)
            inputs = await self._parse(body, lambda: serialize_examples(request.examples))
            outputs = await self._run(call, servable, signature, {"inputs": inputs})
            return Answer(answer(outputs, len(request.examples)))

    @asynccontextmanager
    async def _body(self, call: Call) -> AsyncIterator[bytes]:
        """The request's body, in whose memory the request runs."""
        self._batcher.require_room()  # Before a body takes memory.
        _require_plain(call)
        with self.memory.reserve() as reservation:
            headers = call.scope["headers"]
            yield await read_body(call.receive, headers, self._limits, self.memory, reservation)

    async def _parse(self, body: bytes, parse: Callable[[], T]) -> T:
        if len(body) <= THREAD_BYTES:
            return parse()
        async with self._parsing:
            return await asyncio.to_thread(parse)

    async def _run(
        self,
        call: Call,
        servable: Servable,
        signature: Signature,
        inputs: dict[str, Array],
        weights: Array | None = None,
    ) -> dict[str, Array]:
        with servable.used():
            key = (servable.version, id(servable), signature.name)
            run = servable.runners[signature.name]
            try:
                outputs = await self._batcher.submit(
                    key, run, inputs, signature.batches, weights, call.on_disconnect
                )
            except asyncio.CancelledError:
                if call.disconnected:
                    raise Disconnected from None
                raise
            finally:
                call.settle()
        first = next(iter(inputs.values()))
        self._metrics.images(len(first) if first.ndim else 1)
        return dict(outputs)


def _require_plain(call: Call) -> None:
    """Refuses a compressed body: a few kilobytes may unpack to gigabytes."""
    for name in (b"content-encoding", b"transfer-encoding"):
        for value in call.header(name).lower().split(","):
            if value.strip() not in ("", "identity", "chunked"):
                raise StatusError(
                    "INVALID_ARGUMENT",
                    f"{name.decode().title()}: {value.strip()[:40]}: compressed bodies are not "
                    "taken. Send the JSON as it is.",
                    415,
                )


@dataclass
class _Parser:
    """Parses one request, and adds advice to what is wrong with it."""

    call: Call
    versions: Versions[Servable]
    limits: RequestLimits
    servable: Servable | None = None
    signature: Signature | None = None
    files: tuple[Array, ...] = ()

    def parse(self, body: bytes) -> protocol.PredictRequest:
        """Parses a request of `predict`.

        Raises:
            StatusError: it is wrong.
        """
        document = self._document(body)
        try:
            request = protocol.parse_predict(document, self._find)
        except StatusError as error:
            raise self.advised(error, self._about(document)) from None
        infos = request.signature.inputs
        files = [array for name, array in request.inputs.items() if infos[name].dtype == "string"]
        self.files = tuple(files)
        return request

    def parse_examples(self, body: bytes) -> examples.ExamplesRequest:
        """Parses a request of `classify` or `regress`.

        Raises:
            StatusError: it is wrong.
        """
        document = self._document(body)
        try:
            return examples.parse_examples(document)
        except StatusError as error:
            predicts = "examples" not in document and {"instances", "inputs"} & document.keys()
            why = "For instances and inputs, the method is :predict." if predicts else None
            raise self.advised(error, why) from None

    def count_pixels(self) -> Array | None:
        """The pixels of each row."""
        limits = self.limits
        return count_row_pixels(self.files, limits.image_pixels, limits.request_pixels)

    def require_servable(self) -> Servable:
        """The version that the request named."""
        if self.servable is None:
            raise RuntimeError("parsing asked for no signature")
        return self.servable

    def advised(self, error: StatusError, why: str | None) -> StatusError:
        """The error, with advice and an example of this model's requests if there is advice.

        Args:
            error: what is wrong with the request.
            why: what the client probably meant; None where that is unknown.
        """
        if why is None or error.http != 400:
            return error
        try:
            servable = self.servable or find_servable(self.versions, self.call)
        except StatusError:
            return error.with_advice(why)
        signature = example_signature(servable.signatures, self.signature)
        url = self.call.model_url(self.versions.model_path.name)
        return error.with_advice(f"{why} Try: {example_command(url, signature)}")

    def _document(self, body: bytes) -> dict[str, Any]:
        try:
            return parse_json(body, self.limits.parsed_bytes)
        except StatusError as error:
            why = advice.about_body(body, self.call.header(b"content-type"))
            raise self.advised(error, why) from None

    def _find(self, name: str) -> Signature:
        self.servable = find_servable(self.versions, self.call)
        self.signature = self.servable.find(name)
        return self.signature

    def _about(self, document: dict[str, Any]) -> str | None:
        if self.servable is None:
            return None
        return advice.about_document(document, self.signature, self.servable.signatures)
