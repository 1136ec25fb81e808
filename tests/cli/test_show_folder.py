"""`zoo show` of the folder of a run, a cross-validation, a search or a check."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import call, document, require_error
from tests.inventory import folders
from zoo.files.json_files import dumps
from zoo.rundir import Run

DONE = folders.OLD / "done"


def lines(folder: Path, width: int = 80) -> list[str]:
    """The lines, none of them wider than the terminal but for a path or a command to copy."""
    result = call("show", folder)
    assert result.exit_code == 0, result.output
    text: list[str] = result.stdout.splitlines()
    wide = [line for line in text if len(line) > width]
    assert all(str(folder) in line or "  zoo " in line for line in wide)
    return text


def facts(folder: Path) -> dict[str, str]:
    """{label: what follows it, in one line}."""
    labels: dict[str, str] = {}
    label = ""
    for line in lines(folder)[1:]:
        if not line:
            label = ""
        label = line[:12].strip() or label
        labels[label] = f"{labels.get(label, '')} {line[12:].strip()}".strip()
    return labels


def test_a_run() -> None:
    """The intervals are Wilson's: 143 of 180 and 277 of 360 images (scipy's binomtest agrees)."""
    told = facts(DONE)
    assert told["what"] == "a run of done, seed 5, 1,306 parameters"
    assert told["status"] == "done"
    assert told["began"] == "2026-11-27 14:51, took 13 s, 2,374 images/s"
    assert told["data"].startswith("1,257 training, 180 validation, 360 test images; 10 classes;")
    assert told["epochs"] == "3 of 3, best 3"
    assert told["validation"] == "accuracy 0.7944 (95 %: 0.7296 to 0.8470)"
    assert told["test"] == "accuracy 0.7694 (95 %: 0.7232 to 0.8100) on 360 images"
    assert told["checks"] == "INFO: 2 PASS, 2 INFO"
    assert told["export"] == "keras, 68.2 kB: equals the run up to 1.9e-07 on 180 images"
    assert "best.keras 68.8 kB" in told["files"]


def test_the_document() -> None:
    told = document(call("show", DONE, "--json"))
    assert told.keys() >= {
        "kind", "path", "name", "status", "reason", "started", "seconds", "device", "versions",
        "data", "done", "planned", "best_epoch", "val_accuracy", "val_accuracy_95", "test",
        "checks", "files", "exports", "next", "notes", "bytes", "warm_start", "never_predicted",
    }  # fmt: skip
    assert told["test"]["accuracy_95"] == pytest.approx([0.723228, 0.809971], abs=1e-6)
    assert told["checks"] == {"verdict": "INFO", "counts": {"PASS": 2, "INFO": 2}, "findings": []}
    (export,) = told["exports"]
    assert (export["format"], export["parity"]["passed"]) == ("keras", True)
    assert sum(file["bytes"] for file in told["files"]) == told["bytes"]
    assert told["next"][0]["command"] == f"zoo serve {export['path']}"


@pytest.mark.parametrize(
    "status, step",
    [
        ("interrupted", "zoo train --resume {}"),
        ("failed", "zoo train --resume {}"),
        ("running", "zoo train --resume {}"),  # Its process is dead.
        ("diverged", "zoo check {}/recipe.yaml"),
        ("done", "zoo evaluate {}"),
    ],
)
def test_what_to_do_next(tmp_path: Path, status: str, step: str) -> None:
    run = folders.run(tmp_path / "my runs", 1, status, reason="it ended")
    told = document(call("show", run, "--json"))
    assert told["next"][0]["command"].replace("'", "") == step.format(run)
    assert told["status"] == ("killed" if status == "running" else status)
    assert "it ended" in facts(run.folder)["status"]


def test_a_run_that_runs(tmp_path: Path) -> None:
    run = folders.run(tmp_path, 1, "running")
    with run.locked():
        told = document(call("show", run, "--json"))
    assert (told["status"], told["next"], told["done"]) == ("running", [], 2)


def test_findings_of_checks(tmp_path: Path) -> None:
    run = folders.run(tmp_path, 1, "done", never_predicted=["cat\x1b[2J", "dog"])
    finding = {
        "id": "C09",
        "name": "dead units",
        "verdict": "WARN",
        "advice": "lower the rate " * 9,
    }
    run.write_checks({"verdict": "WARN", "findings": [finding, {**finding, "verdict": "PASS"}]})
    told = facts(run.folder)
    assert told["checks"].startswith("WARN: 1 WARN, 1 PASS WARN C09 dead units: lower the rate")
    assert told["never told"] == r"no validation image was taken for 'cat\x1b[2J', dog"
    run.checks_file.write_text('{"findings": 3}', encoding="utf-8")
    assert "checks.json: not what zoo wrote" in facts(run.folder)["damaged"]


def test_folds_and_a_search(tmp_path: Path) -> None:
    told = facts(folders.folds(tmp_path).folder)
    assert told["what"] == "a cross-validation of net"
    assert (told["folds"], told["accuracy"]) == ("2 of 2 are done", "val_accuracy 0.5000 ± 0.1000")
    folder = folders.OLD / "searched"
    told = facts(folder)
    assert told["what"] == "a search of searched, seed 6"
    assert told["trials"] == "4: 4 done"
    assert told["stage"].startswith("coarse: 3 of 3 trials of 1 epoch, random, pruning median")
    commands = [step["command"] for step in document(call("show", folder, "--json"))["next"]]
    assert commands == [f"zoo tune --resume {folder}", f"zoo report {folder}"]


def test_a_check(tmp_path: Path) -> None:
    check = Run.at(tmp_path / "check-20261128-070000-abcd")
    check.write_checks({"verdict": "PASS", "recipe": "name: net\n", "findings": []})
    assert facts(check.folder)["what"] == "a check of net"


def test_the_newest_of_a_recipe(tmp_path: Path) -> None:
    for number in (1, 2):
        folders.run(tmp_path, number, "done")
    result = call("show", tmp_path / "net")
    assert "000002-ab02" in result.stdout
    assert "000002-ab02, the newest in " in result.stderr


def test_damaged_ones(tmp_path: Path) -> None:
    run = folders.run(tmp_path)
    run.info_file.write_text("{", encoding="utf-8")
    require_error(call("show", run), 2, "run.json: cannot be read: not JSON, or cut short")
    copy = Path(shutil.copytree(DONE, tmp_path / "copy"))
    (copy / "evaluation.json").write_text(dumps({"split": 3}), encoding="utf-8")
    (copy / "export" / "keras" / "parity.json").write_text("[]", encoding="utf-8")
    told: dict[str, Any] = document(call("show", copy, "--json"))
    assert (told["test"], told["exports"][0]["parity"]) == (None, None)
    assert any("evaluation.json: split: Expected" in note for note in told["notes"])
    assert any("parity.json: not what zoo wrote" in note for note in told["notes"])


def test_flags_of_recipes(tmp_path: Path) -> None:
    for flags in (["--yaml"], ["--set", "seed=1"], ["--write-manifest", "x"]):
        require_error(call("show", DONE, *flags), 2, f"its recipe: zoo show {DONE}/recipe.yaml")
    require_error(call("show", tmp_path), 2, "Or a recipe; `zoo new ")


def test_a_recipe_that_ships_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DONE, tmp_path / "digits-tiny")
    assert "conv1" in call("show", "digits-tiny").stdout
    assert "a run of done" in call("show", "./digits-tiny").stdout
