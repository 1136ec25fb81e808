"""Draws random malformed requests, for `benchmarks/serving.py --malformed`. Not run by hand.

Allowed answers:

| rule | kinds | allowed |
|---|---|---|
| refused | all but those below | a status from 400 to 499 |
| image | damaged images | as above, or 200 if the decoder still finds an image |
| unfinished | requests shorter than announced | as above, or closed without an answer |
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from served import Item

PREDICT = "/v1/models/model:predict"
SECONDS = 30.0


@dataclass(frozen=True)
class MalformedRequest:
    """A request with one mistake.

    Attributes:
        kind: of the mistake.
        rule: the answers allowed; see the docstring of this module.
        raw: all bytes to send.
    """

    kind: str
    rule: str
    raw: bytes

    def allows(self, status: int | None) -> bool:
        """Whether the rule allows a status; None: the connection was closed without an answer."""
        if status is None:
            return self.rule == "unfinished"
        return 400 <= status < 500 or (status == 200 and self.rule == "image")


def send(port: int, raw: bytes, ends: bool) -> tuple[int | None, bytes]:
    """Sends raw bytes; returns status and body of the first answer, None and b"" without one.

    Args:
        port: on the loopback address.
        raw: the request.
        ends: close the sending side afterwards.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        try:
            connection.sendall(raw)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionError:  # The server closed before all was sent; its first answer counts.
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        return None, received
    return int(words[1]), body


def http(body: bytes, method: str = "POST", path: str = PREDICT, *headers: str) -> bytes:
    """A request with the right Content-Length, unless `headers` set one."""
    if not any(line.lower().startswith(("content-length", "transfer-")) for line in headers):
        headers = (f"Content-Length: {len(body)}", *headers)
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def draw(rng: random.Random, items: list[Item]) -> MalformedRequest:
    """Draws one malformed request."""
    makers: tuple[tuple[Callable[..., MalformedRequest], int], ...] = (
        (damaged, 40), (no_image, 6), (bad_base64, 8), (bad_json, 12), (bad_number, 12),
        (bad_shape, 8), (bad_nesting, 12), (bad_signature, 4), (bad_target, 8), (lying_header, 8),
        (too_large, 1),
    )  # fmt: skip
    (maker,) = rng.choices([maker for maker, _ in makers], [weight for _, weight in makers])
    return maker(rng, rng.choice(items))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _good(item: Item) -> dict[str, Any]:
    return {"instances": [{"b64": _b64(item.jpeg)}]}


def _refused(kind: str, document: Any) -> MalformedRequest:
    return MalformedRequest(kind, "refused", http(json.dumps(document).encode()))


def damaged(rng: random.Random, item: Item) -> MalformedRequest:
    """An image cut, with flipped bits, zeroed in part, or with another format's first bytes."""
    name = rng.choice(["jpeg", "png"])
    data = bytearray(getattr(item, name))
    kind = rng.choice(["cut", "flipped bits", "zeroed", "another head"])
    if kind == "cut":
        del data[rng.randrange(len(data)) :]
    elif kind == "flipped bits":
        for _ in range(rng.choice([1, 2, 10, 100])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "zeroed":
        start = rng.randrange(len(data))
        stop = min(len(data), start + rng.randrange(1, 200))
        data[start:stop] = bytes(stop - start)
    else:
        head = rng.choice([b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF"])
        data[: len(head)] = head
    document = {"instances": [{"b64": _b64(bytes(data))}]}
    return MalformedRequest(f"image: {kind}", "image", http(json.dumps(document).encode()))


def no_image(rng: random.Random, item: Item) -> MalformedRequest:
    """Bytes that are not an image, in base64 or as a string."""
    data: Any = rng.choice([b"", b"\0", rng.randbytes(rng.randrange(1, 2000)), b"GIF89a", b"BM"])
    value: Any = {"b64": _b64(data)}
    if rng.random() < 0.3:
        value = rng.choice(["", "no image", "\u0000", "\U0001f408" * 50])
    if rng.random() < 0.3:  # Beside a good one: the whole request is refused.
        return _refused("no image", {"instances": [*_good(item)["instances"], value]})
    return _refused("no image", {"instances": [value]})


def bad_base64(rng: random.Random, item: Item) -> MalformedRequest:
    """An image in invalid base64, or in none."""
    text = _b64(item.jpeg)
    at = rng.randrange(1, len(text) - 4)
    length = len(text) // 4 * 4 - 3  # One letter more than whole groups: never right.
    value = rng.choice(
        [
            f"{text[:at]}{rng.choice('*!~ %$é')}{text[at + 1 :]}",
            text[:length],
            f"={text}",
            7,
            None,
            [text],
            {"b64": text},
            True,
        ]
    )
    return _refused("base64", {"instances": [{"b64": value}]})


def bad_json(rng: random.Random, item: Item) -> MalformedRequest:
    """A body that is not JSON, or nested too deep."""
    text = json.dumps(_good(item)).encode()
    deep = rng.choice([100, 10_000, 100_000])
    body = rng.choice(
        [
            b"",
            text[: rng.randrange(1, len(text))],
            text + rng.choice([b"}", b"x", b"{}", b",", b"\0"]),
            text.replace(rng.choice([b":", b"{", b"[", b"]", b"}"]), b"", 1),
            text.replace(b'"', b"'"),
            rng.randbytes(rng.randrange(1, 500)),
            b"[" * deep,
            b'{"instances":' + b"[" * deep + b"]" * deep + b"}",
            b'{"instances":' + b'{"b64":' * deep + b"1" + b"}" * deep + b"}",
            b'{"instances": [{"b64": "\xff\xfe"}]}',
            b'{"instances": ["\\ud800"]}',
            json.dumps(_good(item)).encode("utf-16"),
            gzip.compress(text),
            b'{"instances": [{"b64": "AAAA\n"}]}',
        ]
    )
    return MalformedRequest("JSON", "refused", http(body))


def _pixels(item: Item) -> Any:
    return copy.deepcopy(item.uint8)


def _uint8(pixels: str) -> MalformedRequest:
    body = f'{{"signature_name": "serve_uint8", "instances": [{pixels}]}}'
    return MalformedRequest("number", "refused", http(body.encode()))


def bad_number(rng: random.Random, item: Item) -> MalformedRequest:
    """An array with one number replaced by a value of another type or out of range."""
    pixels = _pixels(item)
    pixels[rng.randrange(len(pixels))][rng.randrange(len(pixels[0]))][0] = "HERE"
    wrong = [
        "256", "-1", "1.5", "1e400", "-1e400", "1" + "0" * 30, "9" * 5000, '"7"', "null", "true",
        "[]", "{}", "NaN", "Infinity", '{"b64": "AA=="}', "0x10", "1e-400", "[1]", "--1", "01",
    ]  # fmt: skip
    return _uint8(json.dumps(pixels).replace('"HERE"', rng.choice(wrong)))


def bad_shape(rng: random.Random, item: Item) -> MalformedRequest:
    """An array of another shape than the model takes."""
    pixels = _pixels(item)
    ragged, short = copy.deepcopy(pixels), copy.deepcopy(pixels)
    del ragged[rng.randrange(len(ragged))][-1]
    del short[-1]
    array = rng.choice(
        [
            ragged,
            short,
            [row[:-1] for row in pixels],
            [[pixel[:-1] for pixel in row] for row in pixels],
            [pixels],
            [[[[value] for value in pixel] for pixel in row] for row in pixels],
            pixels[0],
            pixels[0][0],
            7,
            [],
            [[]],
            [[[]]],
            [[0] * 100_000],
        ]
    )
    return MalformedRequest("shape", "refused", _uint8(json.dumps(array)).raw)


def bad_nesting(rng: random.Random, item: Item) -> MalformedRequest:
    """JSON whose objects and lists are not those of the API."""
    good = _good(item)
    value = good["instances"][0]
    documents: list[Any] = [
        [], [good], 7, "instances", None, True, {}, {"instances": value}, {"instances": []},
        {"instances": None}, {"instances": 7}, {"instances": "x"}, {"instances": [[value]]},
        {"instances": [[]]}, {"instances": [value, [value]]}, {"instances": [value, 7]},
        {"instances": [None]}, {"instances": [{}]}, {"instances": [{"other": value}]},
        {"instances": [{"image_bytes": value, "other": value}]}, {"Instances": [value]},
        {"instances": [{"image_bytes": value}, {"other": value}]}, {"inputs": {"other": [value]}},
        {**good, "inputs": {"image_bytes": [value]}}, {"inputs": {}}, {"inputs": []},
        {"inputs": None}, {"inputs": {"image_bytes": value}}, {"predictions": [value]},
        {"inputs": {"image_bytes": [[value]]}}, {"inputs": {"image_bytes": []}, "instances": []},
        {"instances": [{"b64": value["b64"], "more": 1}]}, {"examples": [{"x": 1}]},
    ]  # fmt: skip
    return _refused("nesting", rng.choice(documents))


def bad_signature(rng: random.Random, item: Item) -> MalformedRequest:
    """A signature that does not exist or takes something else."""
    names = ["no_such", "serve_uint8", 7, [], {}, True, "__saved_model_init_op", "x" * 10_000, "\0"]
    return _refused("signature", {"signature_name": rng.choice(names), **_good(item)})


def bad_target(rng: random.Random, item: Item) -> MalformedRequest:
    """A good body with a wrong method or path."""
    body = json.dumps(_good(item)).encode()
    if rng.random() < 0.5:
        method = rng.choice(["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "TRACE", "post"])
        return MalformedRequest("method", "refused", http(body, method))
    path = rng.choice(
        [
            "/v1/models/other:predict",
            "/v1/models/model/versions/99:predict",
            "/v1/models/model/versions/x:predict",
            f"/v1/models/model/versions/{'9' * 40}:predict",
            "/v1/models/model/versions/-1:predict",
            "/v1/models/model:predictt",
            "/v1/models/model:classify",
            "/v1/models/model:regress",
            "/v1/models/model",
            "/v1/models/model/metadata",
            "/v1/models//:predict",
            "/v1/models/:predict",
            "/v1/models/../../../etc/passwd",
            "/v1/models/%2e%2e%2f%2e%2e%2fetc:predict",
            "/v1/models/model%00:predict",
            f"/v1/models/{'m' * 5000}:predict",
            "/v2/models/model/infer",
            "/",
            "/healthz",
            "/metrics",
            "/static/../page.html",
        ]
    )
    return MalformedRequest("path", "refused", http(body, "POST", path))


def lying_header(rng: random.Random, item: Item) -> MalformedRequest:
    """Headers with wrong lengths or encodings, and bytes that are not HTTP."""
    body = json.dumps(_good(item)).encode()
    short = rng.randrange(1, len(body))
    unfinished = rng.choice([True, False])
    if unfinished:
        raw = rng.choice(
            [
                http(body, "POST", PREDICT, f"Content-Length: {len(body) + 1 + short}"),
                http(body[:short], "POST", PREDICT, f"Content-Length: {len(body)}"),
                http(b"ffff\r\n" + body, "POST", PREDICT, "Transfer-Encoding: chunked"),
                http(body)[: rng.randrange(1, 100)],
            ]
        )
        return MalformedRequest("header: unfinished", "unfinished", raw)
    raw = rng.choice(
        [
            http(body, "POST", PREDICT, f"Content-Length: {short}"),
            http(body, "POST", PREDICT, "Content-Length: -5"),
            http(body, "POST", PREDICT, "Content-Length: many"),
            http(body, "POST", PREDICT, f"Content-Length: {'9' * 40}"),
            http(body, "POST", PREDICT, f"Content-Length: {len(body)}", "Content-Length: 3"),
            http(b"zz\r\n" + body, "POST", PREDICT, "Transfer-Encoding: chunked"),
            http(b"-1\r\n" + body, "POST", PREDICT, "Transfer-Encoding: chunked"),
            http(body, "POST", PREDICT, "no colon in this line"),
            http(body, "POST", PREDICT, f"Content-Length: {len(body)}", "a b: c"),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(100),
            b"POST " + PREDICT.encode() + b" HTTP/9.9\r\nHost: x\r\n\r\n",
            rng.randbytes(200) + b"\r\n\r\n",
        ]
    )
    return MalformedRequest("header", "refused", raw)


def too_large(rng: random.Random, item: Item) -> MalformedRequest:
    """A body above the default limit of `zoo serve`, with a Content-Length or in chunks."""
    if rng.random() < 0.5:
        body = b'{"instances": ["' + b"x" * 33_000_000 + b'"]}'
        return MalformedRequest("too large", "refused", http(body))
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    body = chunk * 40 + b"0\r\n\r\n"
    return MalformedRequest(
        "too large", "refused", http(body, "POST", PREDICT, "Transfer-Encoding: chunked")
    )


def says_why(body: bytes) -> bool:
    """Whether the body of a refusal is an error in JSON."""
    try:
        return isinstance(json.loads(body)["error"], str)
    except (ValueError, KeyError, TypeError):
        return False
