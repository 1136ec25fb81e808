"""The API of a running server: answers, refusals, limits, operations."""

from __future__ import annotations

import json
import random
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serve.conftest import PREDICT, Client, instances, metric, served, top, wait_for
from tests.serve.models import CLASSES, SIDE, png
from zoo.serve.limits import RequestLimits
from zoo.serve.queued_request import BatchLimits


def test_images_as_files_and_as_arrays(pictures: Client) -> None:
    answer = pictures.post(PREDICT, instances(png(0), png(255, side=20), png(128)))
    assert top(answer) == ["dark", "bright", "middling"]
    row = answer.json["predictions"][0]
    assert row.keys() == {"classes", "probabilities", "logits"}
    assert sum(row["probabilities"]) == pytest.approx(1)
    images = np.stack([np.full((SIDE, SIDE, 3), grey) for grey in (0, 255)]).tolist()
    answer = pictures.post(PREDICT, {"signature_name": "serve_uint8", "instances": images})
    assert top(answer) == ["dark", "bright"]


def test_models_are_listed(pictures: Client) -> None:
    (entry,) = pictures.get("/v1/models").json["models"]
    assert entry == {
        "name": "pictures",
        "version": 1,
        "signatures": ["serve_uint8", "serving_default"],
        "labels": list(CLASSES),
        "image": None,
        "multi_label": False,
    }


def test_one_bad_image_spoils_no_other(pictures: Client) -> None:
    """One of many concurrent clients sends bytes that are not an image."""
    greys = [0, 255] * 8
    greys[5] = -1

    def ask(grey: int) -> Any:
        return pictures.post(PREDICT, instances(b"no image" if grey < 0 else png(grey)))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, greys))
    bad = answers.pop(5)
    assert bad.code == 400
    assert "Unknown image file format" in bad.error
    assert not re.search(r"\{\{|\[\[|node|Op:|File \"", bad.error)
    assert [top(answer)[0] for answer in answers] == ["dark", "bright"] * 2 + ["dark"] + [
        "dark",
        "bright",
    ] * 5
    answer = pictures.post(PREDICT, instances(png(0)[:60]))
    assert answer.error.startswith("the image cannot be decoded: it is broken or cut short (Tens")
    within = pictures.post(PREDICT, instances(png(0), b"no image"))
    assert within.code == 400


def test_requests_are_batched(pictures: Client) -> None:
    before = metric(pictures, "zoo_batch_rows_count"), metric(pictures, "zoo_images_total")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: pictures.post(PREDICT, instances(png(9))), range(200)))
    batches = metric(pictures, "zoo_batch_rows_count") - before[0]
    assert metric(pictures, "zoo_images_total") - before[1] == 200
    assert batches < 200


def test_more_rows_than_a_batch_holds(pictures: Client) -> None:
    answer = pictures.post(PREDICT, instances(*[png(i) for i in range(0, 256, 2)]))
    assert len(answer.json["predictions"]) == 128
    alone = [top(pictures.post(PREDICT, instances(png(i))))[0] for i in (0, 100, 254)]
    assert [top(answer)[i] for i in (0, 50, 127)] == alone


@pytest.mark.parametrize("count, side, pixels", [(200, 1, 10_000), (12, 90, 10_000)])
def test_a_large_request_lets_others_in(
    model_folder: Callable[[str], Path], count: int, side: int, pixels: int
) -> None:
    """Many rows, or few rows of many pixels, run in parts, with another client in between."""
    limits = BatchLimits(16, 0.0)
    with served(
        model_folder("pictures"),
        batch_limits=limits,
        request_limits=RequestLimits(image_pixels=pixels),
    ) as client:
        servable = client.app.versions.get()
        run, parts = servable.runners["serving_default"], []

        def slow(inputs: Any) -> Any:
            parts.append(len(inputs["image_bytes"]))
            time.sleep(0.1)
            return run(inputs)

        servable.runners["serving_default"] = slow
        greys = [0, 255] * (count // 2)
        with ThreadPoolExecutor(1) as pool:
            body = instances(*[png(grey, side) for grey in greys])
            large = pool.submit(client.post, PREDICT, body)
            wait_for(lambda: len(parts) > 0)
            assert top(client.post(PREDICT, instances(png(128)))) == ["middling"]
            assert not large.done()
            assert top(large.result()) == ["dark", "bright"] * (count // 2)
        assert sum(parts) == count + 1
        assert len(parts) > 10


def test_operations(pictures: Client) -> None:
    assert pictures.get("/healthz").code == pictures.get("/readyz").code == 200
    pictures.post(PREDICT, "{}")
    text = pictures.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in (
        'zoo_requests_total{code="400",method="predict"}', "zoo_request_seconds_bucket",
        "zoo_batch_rows_bucket", "zoo_queue_depth 0.0", 'zoo_model_version{name="pictures"} 1.0',
        "zoo_images_total", "process_resident_memory_bytes",
    ):  # fmt: skip
        assert name in text.body.decode()


def test_readiness_ends_before_the_server(model_folder: Callable[[str], Path]) -> None:
    with served(model_folder("half_plus_three")) as client:
        assert client.get("/readyz").code == 200
        client.app.stopping = True
        assert client.get("/readyz").code == 503
        assert client.get("/healthz").code == 200


def test_other_paths(pictures: Client) -> None:
    answer = pictures.get("/nothing")
    assert (answer.code, answer.headers["content-type"]) == (404, "application/json")
    assert "The REST API is below /v1/models." in answer.error
    assert pictures.post("/healthz", "").code == 405


def test_the_page(pictures: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures.app, "_page", b"<html></html>")
    answer = pictures.get("/")
    assert (answer.code, answer.body) == (200, b"<html></html>")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    monkeypatch.setattr(pictures.app, "_page", None)
    assert pictures.get("/").code == 404


def test_images_are_bounded(model_folder: Callable[[str], Path]) -> None:
    with served(
        model_folder("pictures"), request_limits=RequestLimits(image_pixels=10_000)
    ) as client:
        assert client.post(PREDICT, instances(png(0, side=100))).code == 200
        answer = client.post(PREDICT, instances(png(0), png(0, side=101)))
        assert answer.code == 400
        assert answer.error.startswith("image of 101 x 101 pixels: too large")


def test_a_full_queue_says_come_again(model_folder: Callable[[str], Path]) -> None:
    with served(model_folder("pictures"), batch_limits=BatchLimits(2, 0.0, 1)) as client:
        codes = {}
        gate = threading.Event()
        servable = client.app.versions.get()
        run = servable.runners["serving_default"]
        servable.runners["serving_default"] = lambda inputs: gate.wait(20) and run(inputs)

        def ask(number: int) -> None:
            codes[number] = client.post(PREDICT, instances(png(0)))

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(codes) == 6)  # One runs and one waits.
        gate.set()
        for thread in threads:
            thread.join()
        full = [answer for answer in codes.values() if answer.code == 503]
        assert len(full) == 6
        assert full[0].headers["retry-after"] == "1"
        assert "queue to which this task was submitted is full" in full[0].error
        assert sum(answer.code == 200 for answer in codes.values()) == 2


def test_a_model_that_fails_tells_no_internals(
    model_folder: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with served(model_folder("pictures")) as client:

        def broken(inputs: Any) -> Any:
            raise RuntimeError("secret")

        client.app.versions.get().runners["serve_uint8"] = broken
        images = np.zeros((1, SIDE, SIDE, 3), int).tolist()
        answer = client.post(PREDICT, {"signature_name": "serve_uint8", "instances": images})
        assert answer.code == 500
        said = re.fullmatch(r"Internal error\. See error ([0-9a-f]{8}) in .* log\.", answer.error)
        assert said is not None
        assert "secret" in caplog.text
        assert f"error {said[1]}: POST {PREDICT}: failed" in caplog.text


def test_clients_that_go_away(pictures: Client) -> None:
    for sent in (b"", b'{"instances"', json.dumps(instances(png(0))).encode()):
        with socket.create_connection(("127.0.0.1", pictures.port)) as gone:
            gone.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\n".encode())
            gone.sendall(b"Content-Length: %d\r\n\r\n" % (len(sent) + (len(sent) < 20)) + sent)
    assert top(pictures.post(PREDICT, instances(png(0)))) == ["dark"]


def malformed(count: int) -> list[tuple[str, str, bytes]]:
    """Methods, paths and bodies of malformed requests."""
    rng = random.Random(0)
    good = json.dumps(instances(png(0))).encode()
    words: list[Any] = [None, True, "x", 1, -1.5, [], {}, [[]], {"b64": "*"}, {"b64": 1}, [1, "x"]]
    requests = []
    for i in range(count):
        body, path, method = bytearray(good), PREDICT, "POST"
        match i % 8:
            case 0:
                body = body[: rng.randrange(len(body) - 1)]
            case 1:
                body[rng.randrange(12)] = rng.choice(b"\x00\xff{}[]:,")
            case 2:
                body = bytearray(json.dumps({"instances": [rng.choice(words)]}).encode())
                body = body if b'"x"' not in body or b"[1" in body else bytearray(b"{}")
            case 3:
                body = bytearray(json.dumps(rng.choice(words)).encode())
            case 4:
                path = PREDICT.replace(rng.choice("models"), rng.choice("%/:?#_"), 1)
            case 5:
                body = bytearray(rng.randbytes(rng.randrange(1, 200)))
            case 6:
                broken = bytearray(png(0))
                for _ in range(9):
                    broken[rng.randrange(8)] = rng.randrange(256)
                body = bytearray(json.dumps(instances(bytes(broken))).encode())
            case 7:
                images = rng.choice([[[0] * 3] * 8, [[[[300] * 3] * 8] * 8], [[[[0] * 2] * 8] * 8]])
                document = {"signature_name": "serve_uint8", "instances": images}
                body = bytearray(json.dumps(document).encode())
        requests.append((method, path, bytes(body)))
    return requests


def test_malformed_requests_are_refused_and_break_nothing(pictures: Client) -> None:
    for method, path, body in malformed(400):
        answer = pictures.ask(method, path, body)
        assert 400 <= answer.code < 500, (path, body[:100], answer)
        assert answer.error
    assert top(pictures.post(PREDICT, instances(png(255)))) == ["bright"]
