"""`zoo evaluate`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.calls import call, document
from tests.runs import copied
from zoo.rundir import Run


def test_evaluate(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    output = document(call("evaluate", run, "--json"))
    keys = {"accuracy", "top5_accuracy", "loss", "ece", "per_class", "confusion_matrix", "images"}
    assert output.keys() >= keys
    text = call("evaluate", run).stdout
    assert f"accuracy        {output['accuracy']:.4f}" in text
    assert "true \\ predicted" in text


def test_evaluate_takes_the_newest_of_a_name(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    assert call("evaluate", run.folder.parent, "--split", "validation").exit_code == 0
