"""`zoo train`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import TRAIN_KEYS, call, document, require_error, require_error_document
from tests.runs import LINEAR, RAGGED, tiny_file, zoo
from zoo.artifact.trained_run import TrainedRun
from zoo.rundir import Run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return tiny_file(tmp_path)


def test_train(recipe: Path, tmp_path: Path) -> None:
    flags = [word for change in RAGGED for word in ("--set", change)]  # All classes are predicted.
    result = call("train", recipe, "--out", tmp_path / "runs", "--no-export", *flags)
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "runs" / "tiny")
    assert result.stdout.splitlines()[-1] == f"run       {run}"
    assert "test      accuracy" in result.stdout
    assert result.stderr.count("\nepoch ") == 2
    assert run.evaluation_file.exists()


@pytest.mark.parametrize("verb", ["train", "check"])
def test_weights_that_are_missing_are_reported_with_their_line(tmp_path: Path, verb: str) -> None:
    """As missing images are, with 3."""
    file = tiny_file(tmp_path)
    text = file.read_text()
    file.write_text(text.replace("model:\n", "model:\n  weights: {from: gone.keras}\n"))
    line = next(
        number for number, text in enumerate(file.read_text().splitlines(), 1) if "gone" in text
    )
    place = f"{file}:{line}: model.weights.from: does not exist. Expected a folder made by"
    require_error(call(verb, file), 3, place)
    given = call(verb, file, "--set", "model.weights.from=lost.keras", "--json")
    error = require_error_document(given, 3, "data", "does not exist")
    assert error["problems"][0]["file"] == "--set model.weights.from=lost.keras"


def test_train_json(recipe: Path, tmp_path: Path) -> None:
    arguments = ("train", recipe, "--out", tmp_path / "runs", "--no-export", "--no-evaluate")
    result = call(*arguments, "--json", "-q")
    output = document(result)
    assert output.keys() == TRAIN_KEYS
    assert output["status"] == "done"
    assert result.stderr == ""
    assert Run(Path(output["run"])).info()["flags"] == {
        "evaluate": False, "export": False, "tensorboard": False, "report": False,
    }  # fmt: skip
    # A resumed run remembers what it was told, and an evaluation can still be asked for.
    again = document(call("train", "--resume", output["run"], "--json"))
    assert again == output
    assert not Run(Path(output["run"])).evaluation_file.exists()


def test_the_export_is_told_before_it_begins(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes half a minute of silence."""

    def export(trained: TrainedRun) -> dict[str, Any]:
        print("exported", file=sys.stderr)
        parity = {"max_abs_diff": 0.0, "images": 1}
        return {"path": str(trained.run), "bytes": 1, "parity": parity}

    monkeypatch.setattr("zoo.export.export", export)
    result = call("train", recipe, "--out", tmp_path / "runs", "--no-evaluate", "--set", LINEAR)
    assert result.exit_code == 0, result.output
    assert result.stderr.endswith("exporting saved_model\nexported\n")


def test_seeds(recipe: Path, tmp_path: Path) -> None:
    """A run folder for each seed, each as if it were trained alone; mean and deviation."""
    arguments = ("train", recipe, "--out", tmp_path / "runs", "--no-export", "--json", "-q",
                 "--set", "model.stack=[flatten]")  # fmt: skip
    output = document(call(*arguments, "--seeds", "2"))
    assert [row["seed"] for row in output["seeds"]] == [3, 4]
    runs = [Run(Path(row["run"])) for row in output["seeds"]]
    assert [run.info()["seed"] for run in runs] == [3, 4]
    accuracies = [row["accuracy"] for row in output["seeds"]]
    assert output["accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert output["accuracy_sd"] == pytest.approx(abs(accuracies[0] - accuracies[1]) / 2**0.5)
    alone = document(call(*arguments, "--set", "seed=4"))
    timed = {"seconds", "images_per_second", "run"}
    assert {key: alone[key] for key in alone.keys() - timed} == {
        key: output["seeds"][1][key] for key in alone.keys() - timed
    }


def test_seeds_that_diverge(recipe: Path, tmp_path: Path) -> None:
    """The other seeds are trained, and told; the exit code is that of a divergence.

    What a change of the recipe does is told once, not for each seed.
    """
    with recipe.open("a", encoding="utf-8") as file:
        file.write("  schedule: {one_cycle: 2}\n")
    result = call(
        "train", recipe, "--out", tmp_path / "runs", "--no-evaluate", "--no-export", "--json",
        "--seeds", "2", "--set", "model.stack=[flatten]", "--set", "train.epochs=1",
        "--set", "train.optimizer={SGD: {learning_rate: 1e9}}",
    )  # fmt: skip
    output = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [row["status"] for row in output["seeds"]] == ["diverged", "diverged"]
    assert "2 of 2 trainings diverged: seed 3, 4" in output["error"]["message"]
    assert "accuracy" not in output
    assert result.stderr.count("2 epochs of 2 are shortened to 1 of 1, since train.epochs") == 1


@pytest.mark.parametrize(
    "more, message",
    [(("--seeds", "1"), "--seeds"), (("--set", "seed=2147483647", "--seeds", "2"), "seed")],
)
def test_seeds_refused(recipe: Path, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    """Before anything is trained."""
    result = call("train", recipe, "--out", tmp_path / "runs", *more)
    require_error(result, 2, message)
    assert not (tmp_path / "runs").exists()


def test_missing_data_is_3(recipe: Path, tmp_path: Path) -> None:
    changes = [f"data.source={{folder: {tmp_path}/nothere}}", "data.image_size=8"]
    arguments = ["train", recipe, *(word for change in changes for word in ("--set", change))]
    arguments += ["--out", tmp_path / "runs"]
    require_error(call(*arguments), 3, "nothere")
    require_error_document(call(*arguments, "--json"), 3, "data", "nothere")
    assert not (tmp_path / "runs").exists()


def test_diverged_is_1(recipe: Path, tmp_path: Path) -> None:
    arguments = (
        "train", recipe, "--out", tmp_path / "runs", "--set", "model.stack=[flatten]",
        "--set", "train.optimizer={SGD: {learning_rate: 1e9}}",
    )  # fmt: skip
    result = call(*arguments, "--json")
    error = require_error_document(result, 1, "diverged", "diverged at step")
    run = Run.open(tmp_path / "runs" / "tiny")
    assert str(run) in error["message"]  # Where to look.
    document = json.loads(result.stdout)
    assert (document["run"], document["status"]) == (str(run), "diverged")
    require_error(call("evaluate", run), 2, "holds no trained model (status diverged)")
    require_error(call("train", "--resume", run), 2, "start a new run with a lower")


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_unknown_backend_is_4(recipe: Path, trained: Run, tmp_path: Path, verb: str) -> None:
    target = recipe if verb == "train" else trained.folder
    done = zoo(verb, target, "--json", cwd=tmp_path, KERAS_BACKEND="torch")
    assert done.returncode == 4, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "environment"
    assert "KERAS_BACKEND=torch" in error["message"]
    assert "tensorflow, jax" in error["message"]
