"""Installs, starts, queries and measures the servers of benchmarks/serving.py."""

from __future__ import annotations

import base64
import http.client
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = HERE / "serving_peers"
PINS = {"kserve": "0.21.0", "mlserver": "1.7.1", "bentoml": "1.4.39"}
BATCH = 64  # Maximum rows of a batch, on every server that batches.
START_SECONDS = 180
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Item:
    """One image: as JPEG and PNG files, and as rows of pixels at the model's size."""

    jpeg: bytes
    png: bytes
    uint8: list[list[list[int]]]


@dataclass(frozen=True)
class Side:
    """A server: how to start it, and its protocol.

    Attributes:
        name: in the tables.
        command: a command line from (port, scratch folder, EXPORT, its newest version).
        path: the URL's path for an encoding.
        body: the request's document for (encoding, item).
        first: the best class in an answer's document.
        peer: a key of `PINS`; None for zoo.
    """

    name: str
    command: Callable[[int, Path, Path, Path], list[str]]
    path: Callable[[str], str]
    body: Callable[[str, Item], dict[str, Any]]
    first: Callable[[Any], str]
    peer: str | None = None


def encoded(encoding: str, item: Item) -> str:
    """The image file in base64."""
    return base64.b64encode(item.jpeg if encoding == "jpeg" else item.png).decode()


def _v1(encoding: str, item: Item) -> dict[str, Any]:
    if encoding == "uint8":
        return {"instances": [item.uint8]}
    return {"instances": [{"b64": encoded(encoding, item)}]}


def _zoo_body(encoding: str, item: Item) -> dict[str, Any]:
    signature = "serve_uint8" if encoding == "uint8" else "serving_default"
    return {"signature_name": signature, **_v1(encoding, item)}


def _v2(encoding: str, item: Item) -> dict[str, Any]:
    """A request of protocol V2, which has flat lists of numbers."""
    if encoding == "uint8":
        shape = [1, len(item.uint8), len(item.uint8[0]), len(item.uint8[0][0])]
        data: list[Any] = [value for row in item.uint8 for pixel in row for value in pixel]
        return {"inputs": [{"name": "images", "shape": shape, "datatype": "UINT8", "data": data}]}
    data = [encoded(encoding, item)]
    return {"inputs": [{"name": "images", "shape": [1], "datatype": "BYTES", "data": data}]}


def _bentoml_body(encoding: str, item: Item) -> dict[str, Any]:
    return {"instances": [item.uint8 if encoding == "uint8" else encoded(encoding, item)]}


def _zoo(*options: str) -> Callable[[int, Path, Path, Path], list[str]]:
    def command(port: int, scratch: Path, export: Path, version: Path) -> list[str]:
        words = ["serve", str(export), "--name", "model", "--port", str(port), *options]
        return [sys.executable, "-m", "zoo", *words]

    return command


def _mlserver(port: int, scratch: Path, export: Path, version: Path) -> list[str]:
    model = {
        "name": "model",
        "implementation": "mlserver_model.Classifier",
        "max_batch_size": BATCH,
        "max_batch_time": 0.001,
    }
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_endpoint": None,
        "parallel_workers": 0,  # The model in the server's own process.
        "debug": False,
    }
    (scratch / "model-settings.json").write_text(json.dumps(model))
    (scratch / "settings.json").write_text(json.dumps(settings))
    return ["-m", "mlserver.cli.main", "start", str(scratch)]


def _bentoml(port: int, scratch: Path, export: Path, version: Path) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(port), "--working-dir", str(PEERS)]
    return ["-m", "bentoml", "serve", "bentoml_service:Classifier", *where]


def _kserve(port: int, scratch: Path, export: Path, version: Path) -> list[str]:
    return [str(PEERS / "kserve_model.py"), str(port)]


def _predictions(document: Any) -> str:
    return str(document["predictions"][0]["classes"][0])


def _outputs(document: Any) -> str:
    return next(str(one["data"][0]) for one in document["outputs"] if one["name"] == "classes")


def _v1_path(encoding: str) -> str:
    return "/v1/models/model:predict"


def _v2_path(encoding: str) -> str:
    return "/v2/models/model/infer"


SIDES = {
    side.name: side
    for side in (
        Side("zoo", _zoo("--max-batch-size", str(BATCH)), _v1_path, _zoo_body, _predictions),
        Side("zoo-single", _zoo("--max-batch-size", "1"), _v1_path, _zoo_body, _predictions),
        Side("kserve", _kserve, _v1_path, _v1, _predictions, "kserve"),
        Side("mlserver", _mlserver, _v2_path, _v2, _outputs, "mlserver"),
        Side(
            "bentoml",
            _bentoml,
            lambda encoding: "/arrays" if encoding == "uint8" else "/files",
            _bentoml_body,
            lambda document: str(document[0]["classes"][0]),
            "bentoml",
        ),
    )
}


def install(peer: str, folder: Path) -> Path:
    """The Python of a peer's virtual environment, which is made if it is missing or incomplete."""
    python = folder / peer / "bin" / "python"
    wanted = [f"tensorflow=={importlib.metadata.version('tensorflow')}", f"{peer}=={PINS[peer]}"]
    note = folder / peer / "installed.txt"
    if note.is_file() and note.read_text().split() == wanted:
        return python
    print(f"installing {' '.join(wanted)} in {folder / peer}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder / peer)], check=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *wanted], env=clean_environment()
    )
    if done.returncode:
        raise SystemExit(f"{peer}: pip install failed with exit code {done.returncode}; see above.")
    note.write_text("\n".join(wanted) + "\n")
    return python


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without PYTHONPATH, so that no Python sees another's packages."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", **more}


def free_port() -> int:
    """A free port on the loopback address."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


class Server:
    """A running server.

    Args:
        process: the root of its processes.
        port: on the loopback address.
        side: what it runs.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, side: Side) -> None:
        self.process, self.port, self.side = process, port, side

    def ask(self, encoding: str, item: Item) -> tuple[int, bytes]:
        """Sends a request; returns the status and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = json.dumps(self.side.body(encoding, item))
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self.side.path(encoding), body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def best(self, encoding: str, item: Item) -> str:
        """The best class of an image."""
        status, body = self.ask(encoding, item)
        if status != 200:
            raise SystemExit(f"{self.side.name}, {encoding}: status {status}: {body[:500]!r}")
        return self.side.first(json.loads(body))

    def tree(self) -> list[int]:
        """The process and its children."""
        found = [self.process.pid]
        for number in found:
            for task in Path(f"/proc/{number}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        return found

    def resident(self) -> float:
        """Resident memory in MB; shared pages count once for each process."""
        pages = sum(int(Path(f"/proc/{n}/statm").read_text().split()[1]) for n in self.tree())
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def processor(self) -> float:
        """Processor seconds so far."""
        ticks = 0
        for number in self.tree():
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS


@contextmanager
def running(
    side: Side, export: Path, version: Path, scratch: Path, item: Item, peers: Path | None
) -> Iterator[Server]:
    """Runs a server: starts it, waits until it answers, stops it at the end."""
    port = free_port()
    words = side.command(port, scratch, export, version)
    more = {"EXPORT": str(version), "PYTHONPATH": str(PEERS), "BENTOML_DO_NOT_TRACK": "True"}
    if side.peer is None:
        more = {"PYTHONPATH": str(HERE.parent)}
    else:
        assert peers is not None
        words = [str(install(side.peer, peers)), *words]
    log = scratch / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, stdout=out, stderr=out, env=clean_environment(**more), cwd=scratch
        )
        server = Server(process, port, side)
        try:
            until = time.monotonic() + START_SECONDS
            while not _answers(server, item):
                if process.poll() is not None or time.monotonic() > until:
                    tail = log.read_text(errors="replace")[-2000:]
                    raise SystemExit(f"{side.name} did not start within {START_SECONDS} s:\n{tail}")
                time.sleep(0.2)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(server: Server, item: Item) -> bool:
    try:
        return server.ask("jpeg", item)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
