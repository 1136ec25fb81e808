"""Run folders, search folders and exports of an older zoo still open: see old_files/README.md.

Everything goes through the command line, in this process, so that what is tested is what a user
has. What resumed trainings are compared with was stored by the old code itself; they train in 64
bits, so that a tolerance of 1e-5 holds on any processor.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zoo.layers  # noqa: F401 - the old model holds layers of ours
from tests.exports import answers_here
from tests.tuning.instant import InstantExecutor
from tuning import search
from tuning.executors.base import Finished, Kept, Ready, Started
from tuning.trial_trainer import TrialTrainer
from tuning.trials import TrialSpec
from zoo import backend
from zoo.cli import app
from zoo.datasets.load import load as load_data
from zoo.export import parity
from zoo.recipe import Template
from zoo.rundir import Run, Search

OLD = Path(__file__).parent / "old_files"
TOLERANCE = 1e-5
CLOSE = {"rel": TOLERANCE, "abs": TOLERANCE}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the old files that may be written to."""
    return Path(shutil.copytree(OLD, tmp_path_factory.mktemp("old") / "files"))


def call(*arguments: str | Path) -> Any:
    """Runs `zoo ARGUMENTS`."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: str | Path) -> Any:
    """The JSON document that `zoo ARGUMENTS --json` prints."""
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def read(file: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(file.read_text(encoding="utf-8"))


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a .jsonl file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def require_close(found: Any, expected: Any, where: str = "") -> None:
    """Equal, with a tolerance for floats; wall-clock seconds are left out."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected.keys() - {"seconds", "setup_seconds"}:
            require_close(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, pair in enumerate(zip(found, expected, strict=True)):
            require_close(*pair, f"{where}[{number}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, **CLOSE), where
    else:
        assert found == expected, where


# A training that was interrupted within its fourth epoch.


@pytest.fixture(scope="module")
def stopped(folder: Path) -> Any:
    """The resumed run: its folder, and what was printed."""
    run = folder / "stopped"
    result = call("train", "--resume", run, "--no-evaluate", "--no-export")
    assert result.exit_code == 0, result.output
    return run, result.stderr


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What the old code made of the same run."""
    return dict(read(OLD / "stopped-resumed.json"))


def test_weights_of_a_resumed_run(stopped: Any) -> None:
    """Network, optimizer, Lookahead's slow weights; after as many epochs as early stopping left."""
    run, _ = stopped
    state = max((run / "state").glob("step-*.npz"))
    with (
        np.load(state, allow_pickle=False) as found,
        np.load(OLD / "stopped-variables.npz", allow_pickle=False) as wanted,
    ):
        assert set(wanted) <= set(found)
        for key in wanted:
            np.testing.assert_allclose(
                found[key], wanted[key], rtol=TOLERANCE, atol=TOLERANCE, err_msg=key
            )


def test_epochs_of_a_resumed_run(stopped: Any, expected: Any) -> None:
    """Early stopping goes on counting the epochs without progress."""
    info = read(stopped[0] / "run.json")
    for key in ("status", "epochs", "steps", "stopped_early"):
        assert info[key] == expected["info"][key], key


def test_metrics_of_a_resumed_run(stopped: Any, expected: Any) -> None:
    """The means of the epoch that was interrupted are over all of its steps."""
    found, wanted = read_rows(stopped[0] / "metrics.jsonl"), expected["rows"]
    keys = wanted[0].keys() - {"update_ratio"}  # Later versions have more metrics.
    require_close(*([{key: row[key] for key in keys} for row in rows] for rows in (found, wanted)))


def test_best_epoch_of_a_resumed_run(stopped: Any, expected: Any) -> None:
    """It was before the interruption, and its model is still there."""
    info = read(stopped[0] / "run.json")
    for key in ("best_epoch", "val_accuracy", "val_loss"):
        assert info[key] == pytest.approx(expected["info"][key], **CLOSE), key
    kept, old = (path / "best.keras" for path in (stopped[0], OLD / "stopped"))
    assert kept.read_bytes() == old.read_bytes()


def test_update_ratio_of_a_resumed_run(stopped: Any, expected: Any) -> None:
    """It had been measured in the epoch that was interrupted."""
    found = [row["update_ratio"] for row in read_rows(stopped[0] / "metrics.jsonl")]
    assert found == pytest.approx([row["update_ratio"] for row in expected["rows"]], **CLOSE)


def test_checks_of_a_resumed_run(stopped: Any, expected: Any) -> None:
    """The live checks know the losses and findings from before."""
    require_close(
        {entry["id"]: _numbers(entry) for entry in read(stopped[0] / "checks.json")["findings"]},
        {entry["id"]: _numbers(entry) for entry in expected["checks"]["findings"]},
    )


def _numbers(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding without its sentences, which may be put better."""
    return {key: finding[key] for key in ("verdict", "value", "details")}


def test_warnings_of_a_resumed_run(stopped: Any) -> None:
    """What was told before the interruption is not told again."""
    warned = read_state(OLD / "stopped")["Babysitter"]["warned"]
    assert warned
    for check in warned:
        assert f"warning: {check}" not in stopped[1]


def read_state(run: Path) -> dict[str, Any]:
    """What the callbacks of a run knew, by the names that they had."""
    with np.load(max((run / "state").glob("step-*.npz")), allow_pickle=False) as stored:
        return dict(json.loads(str(stored["notes"]))["callbacks"])


# A training that was interrupted while its loss rose.


def test_divergence_is_seen_across_an_interruption(folder: Path) -> None:
    """The guard knows the first loss and the last ones."""
    run = folder / "diverging"
    expected = read(OLD / "diverging-resumed.json")
    result = call("train", "--resume", run, "--no-evaluate", "--no-export")
    assert result.exit_code != 0
    info = read(run / "run.json")
    assert info["status"] == expected["status"] == "diverged"
    assert re.sub("; train.abort_above: .*?\\)", ")", info["reason"]) == expected["reason"]


# A run that is done.


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    """Images, and what the old code predicted of them."""
    return {key: np.array(value) for key, value in read(OLD / "done-predictions.json").items()}


def test_model_file_opens(answers: Any) -> None:
    model = keras.saving.load_model(OLD / "done" / "best.keras")
    found = model.predict_on_batch(answers["images"])
    np.testing.assert_allclose(found, answers["logits"], rtol=1e-4, atol=1e-4)


def test_evaluate(folder: Path) -> None:
    run = folder / "done"
    wanted = read(OLD / "done" / "evaluation.json")
    found = document("evaluate", run)
    assert found.keys() > wanted.keys()  # Later versions have more metrics.
    assert found["images"] == wanted["images"]
    assert found["accuracy"] == pytest.approx(wanted["accuracy"], abs=0.005)
    assert found["loss"] == pytest.approx(wanted["loss"], abs=1e-3)


@pytest.mark.parametrize("model", ["done", "done/export/keras"])
def test_predict(folder: Path, answers: Any, tmp_path: Path, model: str) -> None:
    for number, pixels in enumerate(answers["images"].astype(np.uint8)):
        Image.fromarray(pixels[..., 0], "L").save(tmp_path / f"{number}.png")
    found = document("predict", folder / model, tmp_path, "--top", "10")["predictions"]
    names = read(OLD / "done" / "run.json")["class_names"]
    for entry, wanted in zip(found, answers["probabilities"], strict=True):
        by_name = dict(zip(entry["classes"], entry["probabilities"], strict=True))
        assert [by_name[name] for name in names] == pytest.approx(list(wanted), abs=1e-4)


def test_export(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The export is compared in this process: that a fresh one reads it is tested elsewhere."""

    monkeypatch.setattr(parity, "_answers", answers_here)
    found = document("export", folder / "done", "--format", "keras", "--out", tmp_path)
    assert found["parity"]["passed"]


# A search that was interrupted.


class TrainingExecutor(InstantExecutor):
    """Trains each trial in this process, as a worker does in its own."""

    def __init__(self, folder: Search, *arguments: Any) -> None:
        super().__init__(folder, *arguments)
        self._template = Template(str(folder.recipe_file))
        self._data = load_data(self._template.recipe)
        self._trainer = TrialTrainer(self._data)

    def start(self) -> None:
        self._events.append(
            Ready(
                fingerprint=self._data.fingerprint,
                train=len(self._data.train),
                validation=len(self._data.validation),
                classes=len(self._data.class_names),
                notes=[],
                backend=keras.backend.backend(),
                device=backend.device(),
                versions=backend.versions(),
            )
        )

    def submit(self, spec: TrialSpec) -> None:
        self._running.add(spec.trial)
        self._events.append(Started(trial=spec.trial))
        result = self._trainer.run(spec, spec.recipe(self._template), lambda *_: None)
        self._events.append(Finished(trial=spec.trial, result=result))

    def keep(self, trial: str, folder: Path) -> None:
        self._running.add(trial)
        self._trainer.keep(Run.at(folder))
        self._events.append(Kept(trial=trial))


@pytest.fixture(scope="module")
def searched(folder: Path) -> Any:
    """The resumed search: its folder, and what `--json` printed."""
    path = folder / "searched"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "LocalExecutor", TrainingExecutor)
        return path, document("tune", "--resume", path)


def test_trials_of_a_resumed_search(searched: Any) -> None:
    """Those that had ended are kept; the others are those that there would have been."""
    wanted = read(OLD / "searched-resumed.json")["rows"]
    found = {row["trial"]: row for row in read_rows(searched[0] / "trials.jsonl")}
    old = read_rows(OLD / "searched" / "trials.jsonl")
    assert [found[row["trial"]] for row in old] == old
    assert sorted(found) == sorted(row["trial"] for row in wanted)
    for row in wanted:
        mine = found[row["trial"]]
        assert mine["values"] == pytest.approx(row["values"], rel=1e-9)
        for key in ("stage", "index", "seed", "status", "epochs", "steps", "wanted_epochs"):
            assert mine[key] == row[key], f"{row['trial']}.{key}"
        assert mine["score"] == pytest.approx(row["score"], abs=0.03)


def test_outcome_of_a_resumed_search(searched: Any) -> None:
    wanted = read(OLD / "searched-resumed.json")
    found = read(searched[0] / "tune.json")
    assert found["status"] == "done"
    assert found["best"]["trial"] == wanted["best"]["trial"] == searched[1]["best"]["trial"]
    for stage, old in zip(found["stages"], wanted["stages"], strict=True):
        assert stage.keys() == old.keys()
        assert stage["space"] == old["space"]
    assert (searched[0] / "best.yaml").is_file()
    assert len((searched[0] / "trials.csv").read_text().splitlines()) == len(wanted["rows"]) + 1


def test_search_that_is_done_is_read(searched: Any) -> None:
    again = document("tune", "--resume", searched[0])
    assert again["best"] == searched[1]["best"]
