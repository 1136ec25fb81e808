"""MLflow: a real server, which runs beside the tests, and the model that is sent to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests import beside
from tests.exports import Exports
from tests.trackers import folders
from zoo.trackers import mlflow_model
from zoo.trackers.contract import Refused
from zoo.trackers.mlflow_tracker import (
    DEFAULTS,
    MAX_KEY,
    MAX_VALUE,
    MlflowTracker,
    _absolute,
    _key,
    _value,
)
from zoo.trackers.record import metrics

SERVER = "tests.trackers.mlflow_server"
on_server = [pytest.mark.timeout(1260), pytest.mark.beside(SERVER, needs="mlflow")]


@pytest.mark.parametrize(
    "path, expected",
    [
        ("model.stack.0.conv.filters", "model.stack.0.conv.filters"),
        ("train.optimizer[0]", "train.optimizer.0"),
        ("größe%", "größe"),
        ("train.class_weight./cats//dogs/../x", "train.class_weight/cats/dogs/x"),
    ],
)
def test_names_that_mlflow_takes(path: str, expected: str) -> None:
    assert _key(path) == expected
    long = _key("x" * 300 + path)
    assert len(long) == MAX_KEY
    assert long.endswith(expected[-20:])


def test_a_name_of_nothing_that_mlflow_takes() -> None:
    assert [_key(path) for path in ("", "//", "..", "%")] == ["_"] * 4


def test_databases_are_found_again_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _absolute("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    assert _absolute("mlruns") == f"{tmp_path}/mlruns"
    for uri in (
        "sqlite:////a.db",
        "sqlite:///:memory:",
        "http://host/x",
        "file:///a",
        "databricks",
    ):
        assert _absolute(uri) == uri


@pytest.mark.parametrize(
    "uri, problem",
    [
        ("sqlite:////no/such/folder/a.db", "the folder /no/such/folder does not exist"),
        ("ftp://ann:secret@host/x", "ftp://host/x"),
    ],
)
def test_addresses_that_mlflow_cannot_use(
    uri: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told at once, and without the password."""
    mlflow = pytest.importorskip("mlflow")

    def fail() -> None:
        raise RuntimeError(f"got unsupported URI '{uri}'")

    for name, value in DEFAULTS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: uri)
    monkeypatch.setattr(mlflow, "MlflowClient", fail)
    with pytest.raises(Refused, match=problem) as caught:
        MlflowTracker().connect({})
    assert "secret" not in str(caught.value)


def test_values_that_mlflow_takes() -> None:
    assert [_value(value) for value in (None, True, 0.1, "relu", [])] == [
        "null", "true", "0.1", "relu", "[]",
    ]  # fmt: skip
    assert len(_value("y" * 7000)) == MAX_VALUE


def test_the_model_opens_without_zoo_and_predicts_the_same(
    exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As MLflow opens it: the copies of the code alone, on the path of modules."""
    names = {file.stem for file in mlflow_model._code(tmp_path)}
    assert names == {"zoo_mlflow_loader", "zoo_export_reader"}
    monkeypatch.syspath_prepend(tmp_path)
    try:
        loader: Any = __import__("zoo_mlflow_loader")
        classifier = loader._load_pyfunc(str(exports.of("saved_model").folder))
        predicted = classifier.predict(exports.pixels)
    finally:
        for name in names:
            sys.modules.pop(name, None)
    assert classifier.labels == list("0123456789")
    assert predicted == pytest.approx(exports.expected, abs=1e-6)


def test_signature_and_example_are_those_of_the_export(exports: Exports) -> None:
    artifact = exports.of("saved_model")
    image = mlflow_model.warmup_image(artifact.warmup_file)
    assert image is not None
    assert image.shape == (1, *exports.pixels.shape[1:])
    assert image.any()
    assert len(mlflow_model.digest(artifact.folder)) == 64


def history(state: dict[str, Any], key: str) -> list[tuple[int, float]]:
    return [(step, value) for step, value in state["metrics"][key]]


@pytest.fixture
def sent(base_folder: Path) -> Any:
    return beside.outcome(SERVER, base_folder)


class TestServer:
    pytestmark = on_server

    def test_a_run_whose_server_was_away_is_whole(self, sent: Any) -> None:
        live = sent["live"]
        assert live["status"] == "FINISHED"
        assert live["between"]["epochs"] == 1
        for key in metrics(folders.row(1)):
            rows = [(epoch, folders.row(epoch)[key]) for epoch in (1, 2, 3)]
            assert history(live, key) == rows
        assert history(live, "best_val_accuracy") == [(3, 0.8)]
        assert live["params"]["model.stack.0.conv.kernel_size.1"] == "3"
        assert live["tags"]["zoo.data"] == "folder pets"
        assert live["files"] == ["metrics.jsonl", "recipe.yaml", "run.json"]

    def test_that_it_was_away_is_said_once(self, sent: Any) -> None:
        away, back, place = sent["live"]["notes"]
        assert away.startswith("note: MLflow: ")
        assert away.endswith("; what is missing is sent later")
        assert back == "note: MLflow: works again; what was missing is sent"
        assert place.endswith(sent["live"]["entry"]["run_id"])

    def test_the_model_has_signature_example_and_code(self, sent: Any) -> None:
        model = sent["model"]
        assert '"shape": [-1, 8, 9, 3]' in model["signature"]["inputs"]
        assert '"shape": [-1, 2]' in model["signature"]["outputs"]
        assert model["metadata"]["classes"] == '["cat", "dog"]'
        assert model["example"]["type"] == "ndarray"
        assert set(model["code"]) >= {"zoo_export_reader.py", "zoo_mlflow_loader.py"}

    def test_a_killed_run_is_killed_and_a_changed_parameter_is_a_tag(self, sent: Any) -> None:
        killed = sent["killed"]
        assert (killed["status"], killed["tags"]["zoo.status"]) == ("KILLED", "killed")
        assert killed["params"]["train.epochs"] == "3"
        assert killed["tags"]["zoo.changed.train.epochs"] == "5"
        assert len(killed["params"]["model.stack.0.conv.filters"]) == MAX_VALUE
        assert history(killed, "loss") == [(1, 1.0), (2, 0.5)]  # Sent twice, and there once.

    def test_trials_are_children_once_each(self, sent: Any) -> None:
        names = ["coarse-000", "coarse-001", "coarse-002", "fine-000"]
        trials = sorted(sent["trials"], key=lambda trial: str(trial["name"]))
        assert [trial["name"] for trial in trials] == names
        assert {trial["status"] for trial in trials} == {"FINISHED"}
        rates = [trial["params"]["train.optimizer.SGD.learning_rate"] for trial in trials]
        assert rates == ["0.1546", "0.1454", "0.006388", "0.007466"]
        assert [step for step, _ in history(trials[3], "val_accuracy")] == [1, 2]
        assert sent["search"]["status"] == "KILLED"
        best = [value for _, value in history(sent["search"], "best_score")]
        assert best == sorted(best)
        assert len(best) == 4
