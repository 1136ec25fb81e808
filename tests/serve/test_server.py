"""The server as a whole: what it bears, what it refuses, how it reloads and how it stops."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.runs import environment
from tests.serve.conftest import Client, b64, served
from tests.serve.models import CLASSES, SIDE, png
from zoo.errors import DataError
from zoo.serve.app import RequestLimits
from zoo.serve.batching import BatchLimits

PICTURES = "/v1/models/pictures"
PREDICT = f"{PICTURES}:predict"


def instances(*files: bytes) -> dict[str, Any]:
    return {"instances": [b64(data) for data in files]}


def top(answer: Any) -> list[str]:
    return [row["classes"][0] for row in answer.json["predictions"]]


def metric(client: Client, name: str) -> float:
    text = client.get("/metrics").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


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
    }


def test_labels_are_lines(made: Callable[[str], Path], tmp_path: Path) -> None:
    names = ["dark\u2028er", "mid\x85dling", "bright"]
    shutil.copytree(made("pictures") / "1", tmp_path / "1")
    file = tmp_path / "1" / "assets" / "labels.txt"
    file.write_text("\n".join(names) + "\n", encoding="utf-8")
    with served(tmp_path) as client:
        (entry,) = client.get("/v1/models").json["models"]
    assert entry["labels"] == names


def test_one_bad_image_spoils_no_other(pictures: Client) -> None:
    """Eight clients at once, of which one sends what is no image."""
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


@pytest.mark.parametrize("count, side, pixels", [(400, 1, 10_000), (12, 90, 10_000)])
def test_a_large_request_lets_others_in(
    made: Callable[[str], Path], count: int, side: int, pixels: int
) -> None:
    """Many rows, or few of many pixels: either runs in parts, and another client in between."""
    limits = BatchLimits(16, 0.0)
    with served(
        made("pictures"), batch_limits=limits, request_limits=RequestLimits(image_pixels=pixels)
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


def test_readiness_ends_before_the_server(made: Callable[[str], Path]) -> None:
    with served(made("half_plus_three")) as client:
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


# Bounds.


def test_bodies_are_bounded(made: Callable[[str], Path]) -> None:
    with served(made("pictures"), request_limits=RequestLimits(body_bytes=20_000)) as client:
        assert client.post(PREDICT, instances(png(0))).code == 200
        for body in (b" " * 20_001, b" " * 3_000_000):
            answer = client.post(PREDICT, body)
            assert answer.code == 413
            assert "Expected at most 0.02 MB" in answer.error
        answer = client.post(PREDICT, (b" " * 9000 for _ in range(9)))  # Of no length.
        assert answer.code == 413
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as lie:
            lie.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n".encode())
            lie.sendall(b"Content-Length: 99999999999999999999\r\n\r\n{")
            assert b" 413 " in lie.recv(1000) or lie.recv(10) == b""
        assert client.post(PREDICT, instances(png(0))).code == 200


def test_bodies_together_are_bounded(made: Callable[[str], Path]) -> None:
    """Eight of the largest may wait; one more is told to come again, and comes through later."""
    body = json.dumps(instances(png(0))) + " " * 90_000
    with served(made("pictures"), request_limits=RequestLimits(100_000)) as client:
        gate = threading.Event()
        servable = client.app.versions.get()
        run = servable.runners["serving_default"]
        servable.runners["serving_default"] = lambda inputs: gate.wait(20) and run(inputs)
        codes: list[int] = []
        threads = [
            threading.Thread(target=lambda: codes.append(client.post(PREDICT, body).code))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: client.app._reserved > 700_000)
        answer = client.post(PREDICT, body)
        assert answer.code == 503
        assert "memory" in answer.error
        gate.set()
        for thread in threads:
            thread.join()
        assert codes == [200] * 8
        assert client.post(PREDICT, body).code == 200
        assert client.app._reserved == 0


def test_images_are_bounded(made: Callable[[str], Path]) -> None:
    with served(made("pictures"), request_limits=RequestLimits(image_pixels=10_000)) as client:
        assert client.post(PREDICT, instances(png(0, side=100))).code == 200
        answer = client.post(PREDICT, instances(png(0), png(0, side=101)))
        assert answer.code == 400
        assert answer.error.startswith("image of 101 x 101 pixels: too large")


def test_a_full_queue_says_come_again(made: Callable[[str], Path]) -> None:
    with served(made("pictures"), batch_limits=BatchLimits(2, 0.0, 1)) as client:
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
    made: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with served(made("pictures")) as client:

        def broken(inputs: Any) -> Any:
            raise RuntimeError("secret")

        client.app.versions.get().runners["serve_uint8"] = broken
        images = np.zeros((1, SIDE, SIDE, 3), int).tolist()
        answer = client.post(PREDICT, {"signature_name": "serve_uint8", "instances": images})
        assert (answer.code, answer.error) == (500, "Internal error")
        assert "secret" in caplog.text


def test_clients_that_go_away(pictures: Client) -> None:
    for sent in (b"", b'{"instances"', json.dumps(instances(png(0))).encode()):
        with socket.create_connection(("127.0.0.1", pictures.port)) as gone:
            gone.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n".encode())
            gone.sendall(b"Content-Length: %d\r\n\r\n" % (len(sent) + (len(sent) < 20)) + sent)
    assert top(pictures.post(PREDICT, instances(png(0)))) == ["dark"]


def malformed(count: int) -> list[tuple[str, str, bytes]]:
    """Methods, paths and bodies, each with something wrong in it."""
    rng = random.Random(0)
    good = json.dumps(instances(png(0))).encode()
    words: list[Any] = [None, True, "x", 1, -1.5, [], {}, [[]], {"b64": "*"}, {"b64": 1}, [1, "x"]]
    found = []
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
        found.append((method, path, bytes(body)))
    return found


def test_malformed_requests_are_refused_and_break_nothing(pictures: Client) -> None:
    for method, path, body in malformed(400):
        answer = pictures.ask(method, path, body)
        assert 400 <= answer.code < 500, (path, body[:100], answer)
        assert answer.error
    assert top(pictures.post(PREDICT, instances(png(255)))) == ["bright"]


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
def test_headers_are_bounded(pictures: Client, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
        connection.sendall(start)
        line = b"x" * 1000 if not start.endswith(b"1.1\r\n") else b"X: y\r\n" * 200
        with pytest.raises(OSError, match="reset|pipe"):  # noqa: PT012
            for _ in range(100_000):
                connection.sendall(line)
    many = pictures.ask("GET", "/healthz", None, **{f"X{i}": "y" * 1000 for i in range(50)})
    assert many.code == 200


@pytest.mark.parametrize("path", ["/healthz", "/healthz?" + "x" * 100_000])
def test_large_headers_that_come_at_once_are_refused(pictures: Client, path: str) -> None:
    line = "" if len(path) > 100 else f"X: {'y' * 100_000}\r\n"
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode()
    with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in connection.recv(1000)
        try:
            connection.sendall(request)
            answer = connection.recv(1000)
        except OSError:  # The connection was closed before all of it was sent.
            return
        assert b" 400 " in answer
        assert b"Request line and headers too large." in answer


def test_what_is_no_http(pictures: Client) -> None:
    for sent in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\r\n" * 50):
        with socket.create_connection(("127.0.0.1", pictures.port), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert pictures.get("/healthz").code == 200


# Reload.


def test_hot_reload(made: Callable[[str], Path], tmp_path: Path) -> None:
    """Under load: no request fails while a version takes the place of another."""
    folder = tmp_path / "pictures"
    shutil.copytree(made("pictures") / "1", folder / "1")
    stop, codes = threading.Event(), []
    with served(folder, poll_seconds=0.1) as client:

        def ask() -> None:
            while not stop.is_set():
                codes.append(client.post(PREDICT, instances(png(0))).code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        half_copied = folder / "2"
        half_copied.mkdir()
        wait_for(lambda: state(client, "2") == "END")
        assert "no saved_model.pb" in client.get(f"{PICTURES}/versions/2").body.decode()
        assert client.get(PICTURES).json["model_version_status"][1]["state"] == "AVAILABLE"
        shutil.copytree(made("pictures") / "1", half_copied, dirs_exist_ok=True)
        wait_for(lambda: state(client, "2") == "AVAILABLE" and state(client, "1") == "END")
        stop.set()
        for thread in threads:
            thread.join()
        assert set(codes) == {200}
        assert len(codes) > 20
        assert client.get(f"{PICTURES}/metadata").json["model_spec"]["version"] == "2"
        assert client.post(f"{PICTURES}/versions/1:predict", instances(png(0))).code == 404
        assert metric(client, "zoo_model_version") == 2


def state(client: Client, version: str) -> str:
    answer = client.get(f"{PICTURES}/versions/{version}")
    return answer.json["model_version_status"][0]["state"] if answer.code == 200 else ""


def wait_for(happened: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    "damage, part",
    [
        (lambda folder: (folder / "saved_model.pb").write_bytes(b"\xff" * 99), "damaged"),
        (lambda folder: (folder / "saved_model.pb").write_bytes(b""), "no graph with the tag"),
        (lambda folder: (folder / "saved_model.pb").unlink(), "no saved_model.pb"),
        (lambda folder: shutil.rmtree(folder / "variables"), "cannot be loaded"),
    ],
)
def test_damaged_models(
    made: Callable[[str], Path], tmp_path: Path, damage: Callable[[Path], Any], part: str
) -> None:
    from zoo.serve.servable import Servable

    folder = tmp_path / "1"
    shutil.copytree(made("half_plus_three") / "00000123", folder)
    damage(folder)
    with pytest.raises(DataError, match=part):
        Servable(folder, "damaged", 1)


# The process.


class Process:
    """`zoo serve` in a process of its own."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "zoo", "serve", *map(str, arguments), "--port", "0"],
            cwd=ROOT,
            env=environment(PYTHONPATH=str(ROOT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ready(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_in_flight_finish(made: Callable[[str], Path], sign: int) -> None:
    with Process(made("pictures"), "--json", "-q") as server:
        ready = server.ready()
        assert (ready["name"], ready["version"]) == ("pictures", 1)
        port = int(ready["url"].rpartition(":")[2])
        body = json.dumps(instances(*[png(0)] * 500))
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert b"100 Continue" in connection.recv(1000)  # It is in flight.
            connection.sendall(body[:1000].encode())
            os.kill(server.process.pid, sign)
            wait_for(lambda: refused(port))
            connection.sendall(body[1000:].encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert response.status == 200
            assert len(json.loads(response.read())["predictions"]) == 500
        out, err = server.process.communicate(timeout=30)
        assert (server.process.returncode, out, err) == (0, "", "")


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.slow
def test_what_people_read(made: Callable[[str], Path], tmp_path: Path) -> None:
    with Process(made("pictures"), "--access-log", "--name", "greys") as server:
        assert server.process.stdout is not None
        lines = [server.process.stdout.readline() for _ in range(4)]
        url = re.search(r"greys, version 1, at (http://127\.0\.0\.1:\d+) ", lines[0])
        assert url is not None
        assert lines[1:3] == [
            f"signature serve_uint8(images: uint8 [-1,{SIDE},{SIDE},3])\n",
            "signature serving_default(image_bytes: string [-1])\n",
        ]
        command = lines[3].removeprefix("try       ")
        noise = np.random.default_rng(0).integers(128, 256, (700, 700, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "IMAGE.png")
        assert (tmp_path / "IMAGE.png").stat().st_size > 1_000_000  # As a photo.
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["predictions"][0]["classes"][0] == "bright"
        os.kill(server.process.pid, signal.SIGTERM)
        _, err = server.process.communicate(timeout=30)
        assert server.process.returncode == 0
        assert err.count("POST /v1/models/greys%3Apredict HTTP/1.1") == 1
