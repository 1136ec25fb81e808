"""`zoo train --folds`."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zoo.training
from tests.cli.calls import call, document, require_error, require_error_document
from tests.runs import LINEAR, tiny_file
from zoo.datasets.load import load as load_data
from zoo.errors import Diverged
from zoo.recipe import load
from zoo.rundir import Folds, Run
from zoo.verbs.fold_table import table

QUICK = ("--set", LINEAR, "--set", "train.epochs=1", "--set", "train.batch_size=419")


def recording(monkeypatch: pytest.MonkeyPatch, stop_at: int) -> list[str]:
    """Stops the training that is begun as number `stop_at`; records all that are begun."""
    begun: list[str] = []
    train = zoo.training.train

    def recorded(recipe: Any, **options: Any) -> Any:
        begun.append(options["folder"].name)
        if len(begun) == stop_at:
            raise KeyboardInterrupt
        return train(recipe, **options)

    monkeypatch.setattr("zoo.training.train", recorded)
    return begun


def test_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the second of two folds, and resumed: mean and deviation of both."""
    file = tiny_file(tmp_path)
    begun = recording(monkeypatch, stop_at=2)
    result = call("train", file, "--folds", "2", "--out", tmp_path / "runs", *QUICK, "--json")
    error = require_error_document(result, 130, "interrupted", "1 of 2 folds are done and kept")
    stopped = json.loads(result.stdout)
    folds = Folds(Path(stopped["folder"]))
    assert f"zoo train --resume {folds}" in error["message"]
    assert (stopped["status"], len(stopped["folds"])) == ("interrupted", 1)
    assert folds.info()["status"] == "interrupted"
    result = call("train", "--resume", folds)
    assert result.exit_code == 0, result.output
    assert begun == ["fold-1", "fold-2", "fold-2"]
    # All is done: nothing is trained again, and the same is told.
    told = document(call("train", "--resume", folds, "--json"))
    assert len(begun) == 3
    require_summary(folds, told)
    mean = f"validation accuracy {told['val_accuracy']:.4f} ± {told['val_accuracy_sd']:.4f}"
    assert mean in result.stdout
    for index, row in enumerate(told["folds"], start=1):
        # Each is a run, whose recipe says which fold it is.
        run = Run.open(row["run"])
        assert not run.evaluation_file.exists()
        recipe = load(str(run.recipe_file))
        assert (recipe.data.fold.index, recipe.data.fold.of) == (index, 2)
        assert load_data(recipe).fingerprint == run.info()["data"]["fingerprint"]
    require_error(call("evaluate", folds), 2, f"such as {folds.folder / 'fold-1'}")
    require_error(call("train", "--resume", folds, "--folds", "3"), 2, "cross-validates a recipe")
    change = ("--set", "train.epochs=5")
    require_error(
        call("train", "--resume", folds, *change), 2, "only data.source and plugins may be changed"
    )
    text = folds.recipe_file.read_text(encoding="utf-8")
    folds.recipe_file.write_text(text.replace("epochs: 1", "epochs: 2"), encoding="utf-8")
    require_error(call("train", "--resume", folds), 2, "was edited since")


def require_summary(folds: Folds, told: Any) -> None:
    """Requires that the means and deviations are those of the rows, in folds.json as well."""
    assert (told["status"], told["monitor"]) == ("done", "val_accuracy")
    assert [row["fold"] for row in told["folds"]] == [1, 2]
    info = folds.info()
    assert (info["status"], info["of"], info["monitor"]) == ("done", 2, "val_accuracy")
    for key in ("val_accuracy", "val_loss"):
        values = [row[key] for row in told["folds"]]
        assert len(set(values)) == 2
        assert told[key] == info["mean"][key] == pytest.approx(sum(values) / 2)
        assert told[f"{key}_sd"] == info["sd"][key] == pytest.approx(statistics.stdev(values))
    assert "accuracy" not in told  # The test stays untouched.
    assert [row["validation"] for row in info["folds"]] == [719, 718]
    assert [row["train"] for row in info["folds"]] == [718, 719]


def test_a_single_fold_of_the_recipe_is_left_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = recording(monkeypatch, stop_at=1)
    fold = "data.fold={index: 2, of: 4}"
    result = call(
        "train", tiny_file(tmp_path), "--folds", "3", "--set", fold, "--out", tmp_path, *QUICK
    )
    assert begun == ["fold-1"]
    assert "note: data.fold (2 of 4) is left aside: --folds trains all 3" in result.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--folds", "1"), "--folds"),
        (("--folds", "2", "--seeds", "2"), "exclude each other"),
        (("--folds", "3", "--set", "data.classes=[1]"), "two classes or more"),
    ],
)
def test_refused_before_training(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    file = tiny_file(tmp_path)
    require_error(call("train", file, *arguments, "--out", tmp_path / "runs"), 2, message)
    assert not (tmp_path / "runs").exists()


def test_folds_that_diverge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are trained, and told; the exit code is that of a divergence."""

    def train(recipe: Any, *, folder: Path, settings: Any) -> Run:
        run = Run.at(folder)
        run.update(status="diverged")
        error = Diverged(f"{run}: diverged at step 3")
        error.facts = {"run": str(run), "status": "diverged"}
        raise error

    monkeypatch.setattr("zoo.training.train", train)
    arguments = ("train", tiny_file(tmp_path), "--folds", "2", "--out", tmp_path / "runs", "--json")
    result = call(*arguments)
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [row["status"] for row in told["folds"]] == ["diverged", "diverged"]
    assert "2 of 2 folds diverged: 1, 2" in told["error"]["message"]
    assert result.stderr.count("diverged at step 3") == 2
    assert Folds(Path(told["folder"])).info()["status"] == "diverged"
    assert call("train", "--resume", told["folder"]).exit_code == 1


def test_a_fold_that_did_not_measure_the_test() -> None:
    """As after `--resume FOLDS --evaluate`, with folds that were done before."""
    row = {"train": 9, "validation": 3, "best_epoch": 1, "epochs": 2, "val_loss": 0.5}
    rows = [{**row, "fold": 1}, {**row, "fold": 2, "accuracy": 0.75}]
    lines = [line.split() for line in table(rows, ["val_loss", "accuracy"]).splitlines()]
    assert [line[-2:] for line in lines[1:]] == [["0.5000", "-"], ["0.5000", "0.7500"]]


def test_nothing_is_left_of_folds_that_cannot_be(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("ill", "well"):
        for patient in range(3):
            folder = tmp_path / "scans" / name / f"p{patient}"
            folder.mkdir(parents=True)
            for number in range(2):
                pixels = draw.integers(0, 256, (8, 8), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    source = f"data.source={{folder: {{path: {tmp_path / 'scans'}, group: parent, test: none}}}}"
    result = call(
        "train", tiny_file(tmp_path), "--folds", "4", "--out", tmp_path / "runs", "--json",
        "--set", source, "--set", "data.image_size=8",
    )  # fmt: skip
    require_error_document(result, 3, "data", "4 folds need as many groups at least")
    assert not list((tmp_path / "runs").glob("*/*"))
