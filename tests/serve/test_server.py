"""The server as a whole: hot reload under load, signals, and what it prints."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.runs import environment
from tests.serve.conftest import PICTURES, PREDICT, Client, instances, metric, served, wait_for
from tests.serve.models import SIDE, png


def test_hot_reload(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """No request fails while one version replaces another under load."""
    folder = tmp_path / "pictures"
    shutil.copytree(model_folder("pictures") / "1", folder / "1")
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
        why = client.get(f"{PICTURES}/versions/2").body.decode()
        assert "version 2: no saved_model.pb" in why
        assert str(tmp_path) not in why
        assert client.get(PICTURES).json["model_version_status"][1]["state"] == "AVAILABLE"
        shutil.copytree(model_folder("pictures") / "1", half_copied, dirs_exist_ok=True)
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


class Process:
    """`zoo serve` in a process."""

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
def test_a_signal_lets_what_is_in_flight_finish(
    model_folder: Callable[[str], Path], sign: int
) -> None:
    with Process(model_folder("pictures"), "--json", "-q") as server:
        ready = server.ready()
        assert (ready["name"], ready["version"]) == ("pictures", 1)
        port = int(ready["url"].rpartition(":")[2])
        body = json.dumps(instances(*[png(0)] * 500))
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
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
def test_printed_lines(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    with Process(model_folder("pictures"), "--access-log", "--name", "greys") as server:
        assert server.process.stdout is not None
        lines = [server.process.stdout.readline() for _ in range(5)]
        url = re.search(r"greys, version 1, at (http://127\.0\.0\.1:\d+) ", lines[0])
        assert url is not None
        assert lines[1:4] == [
            f"page      open {url[1]}/ in a browser to try the model on images\n",
            f"signature serve_uint8(images: uint8 [-1,{SIDE},{SIDE},3])\n",
            "signature serving_default(image_bytes: string [-1])\n",
        ]
        command = lines[4].removeprefix("try       ")
        noise = np.random.default_rng(0).integers(128, 256, (700, 700, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "IMAGE.png")
        assert (tmp_path / "IMAGE.png").stat().st_size > 1_000_000  # As a photo.
        finished = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert finished.stdout.endswith("}\n")  # The shell's prompt begins a line of its own.
        assert json.loads(finished.stdout)["predictions"][0]["classes"][0] == "bright"
        os.kill(server.process.pid, signal.SIGTERM)
        _, err = server.process.communicate(timeout=30)
        assert server.process.returncode == 0
        assert err.count("POST /v1/models/greys%3Apredict HTTP/1.1") == 1
