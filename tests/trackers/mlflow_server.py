"""usage: mlflow_server.py FOLDER: sends runs to a real MLflow server, and prints what it has then.

Runs beside the tests (tests/beside.py): the server takes seconds to start. Between it and the
tracker is a gate, which a test shuts as if the server was gone, or lets hang.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.trackers import folders

SERVER, GATE = 5055, 5056  # In a network namespace of its own.
CLASSES = ["cat", "dog"]


class Gate:
    """Hands connections on to the server while it is open; refuses them while it is shut."""

    def __init__(self) -> None:
        self.state = "open"
        self._socket = socket.create_server(("127.0.0.1", GATE))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        held = []
        while True:
            client, _ = self._socket.accept()
            if self.state == "open":
                server = socket.create_connection(("127.0.0.1", SERVER))
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._pipe, args=(one, other), daemon=True).start()
            elif self.state == "hangs":
                held.append(client)
            else:
                client.close()

    def _pipe(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                if self.state != "open":
                    break
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def exported(run: Any) -> None:
    """What zoo exported of a run, as far as MLflow keeps it without opening it."""
    from zoo.artifact.layout import Artifact

    artifact = Artifact(run.export_folder("saved_model") / "small" / "1", "saved_model")
    artifact.extra.mkdir(parents=True)
    artifact.model_file.write_bytes(b"a model")
    manifest = {
        "format": "saved_model", "classes": CLASSES, "activation": "softmax",
        "image": {"height": 8, "width": 9, "channels": 3, "interpolation": "bilinear"},
        "files": {"saved_model.pb": {"sha256": "0" * 64}},
    }  # fmt: skip
    artifact.manifest_file.write_text(json.dumps(manifest))


def state(run_id: str) -> dict[str, Any]:
    """What the server has of a run."""
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(run_id)
    histories = {
        key: [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]
        for key in run.data.metrics
    }
    files = [file.path for file in client.list_artifacts(run_id)]
    return {"name": run.info.run_name, "status": run.info.status, "params": run.data.params,
            "tags": run.data.tags, "metrics": histories, "files": files}  # fmt: skip


def sent_while_it_trains(folder: Path, gate: Gate) -> dict[str, Any]:
    """A run whose server goes away after its first epoch, hangs, and is there again at the end."""
    from zoo.trackers.names import ChosenTrackers
    from zoo.trackers.session import Tracking

    notes: list[str] = []
    run = folders.run(folder / "live", epochs=1)
    with Tracking(notes.append) as tracking:
        tracking.start(ChosenTrackers(("mlflow",)))
        tracking.require()
        tracking.begin(run)
        until(lambda: run.trackers_file.exists() and folders.entry(run, "mlflow")["epochs"] == 1)
        states = []
        for epochs, gate.state in ((2, "shut"), (3, "hangs")):
            run.write_rows([folders.row(epoch) for epoch in range(1, epochs + 1)])
            tracking.update([])
            until(lambda: tracking.update([]) or bool(notes))
        states.append(folders.entry(run, "mlflow"))
        gate.state = "open"
        exported(folders.finished(run))
    entry = folders.entry(run, "mlflow")
    return {"notes": notes, "between": states[0], "entry": entry, **state(entry["run_id"])}


def sent_afterwards(folder: Path) -> dict[str, Any]:
    """A killed run and a search, each sent twice, and a longer recipe in between."""
    from mlflow import MlflowClient

    from zoo.trackers.mlflow_tracker import MlflowTracker
    from zoo.trackers.sender import Sender

    tracker = MlflowTracker()
    tracker.connect({})
    killed, search = folders.run(folder / "killed"), folders.search(folder / "tune")
    text = killed.recipe_file.read_text().replace("filters: 4", f"filters: {'4' * 7000}")
    killed.recipe_file.write_text(text)
    for epochs in ("3", "5"):
        killed.recipe_file.write_text(text.replace("epochs: 3", f"epochs: {epochs}"))
        for each in (killed, search):
            Sender(tracker, print).send_now(each, final=True, gone=True)
    parent = folders.entry(search, "mlflow")
    # A process that was killed after it had sent a trial, and before it had counted it.
    tracker = MlflowTracker()
    tracker.connect({})
    entries = {"mlflow": {**parent, "trials": parent["trials"] - 1}}
    search.trackers_file.write_text(json.dumps(entries))
    Sender(tracker, print).send_now(search, final=True, gone=True)
    children = MlflowClient().search_runs(
        [parent["experiment_id"]], f"tags.`mlflow.parentRunId` = '{parent['run_id']}'"
    )
    return {
        "killed": state(folders.entry(killed, "mlflow")["run_id"]),
        "search": state(parent["run_id"]),
        "trials": [state(child.info.run_id) for child in children],
    }


def model(run_id: str) -> dict[str, Any]:
    """The signature and the files of a run's model."""
    import mlflow
    from mlflow.models import get_model_info

    info = get_model_info(f"runs:/{run_id}/model")
    (path,) = Path(mlflow.artifacts.download_artifacts(info.model_uri)).glob("code")
    assert info.signature is not None
    return {
        "signature": info.signature.to_dict(), "metadata": info.metadata,
        "example": info.saved_input_example_info,
        "code": sorted(file.name for file in path.iterdir()),
    }  # fmt: skip


def until(holds: Any) -> None:
    """Waits until something holds."""
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def main(folder: Path) -> None:
    base = f"http://127.0.0.1:{SERVER}"
    store = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    store += ["--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *store, "--port", str(SERVER), "--workers", "1"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:

        def answers() -> bool:
            with suppress(OSError), urllib.request.urlopen(f"{base}/health", timeout=5):
                return True
            return False

        gate = Gate()
        os.environ["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{GATE}"
        os.environ |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
        until(answers)
        afterwards = sent_afterwards(folder)
        live = sent_while_it_trains(folder, gate)
        found = {"live": live, **afterwards, "model": model(live["entry"]["run_id"])}
    finally:
        os.killpg(server.pid, 9)
        server.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
