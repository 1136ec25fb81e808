"""`zoo evaluate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.calls import call, document, require_error_document
from tests.disks import failing_from
from tests.runs import copied
from zoo.cli import evaluate
from zoo.evaluate import compute_metrics
from zoo.rundir import Run


def test_evaluate(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    output = document(call("evaluate", run, "--json"))
    keys = {"accuracy", "top5_accuracy", "loss", "ece", "per_class", "confusion_matrix", "images"}
    assert output.keys() >= keys
    text = call("evaluate", run).stdout
    assert f"top-5 accuracy  {output['top5_accuracy']:.4f}" in text
    assert f"accuracy        {output['accuracy']:.4f}" in text
    assert "true \\ predicted" in text


@pytest.mark.parametrize("classes, told", [(5, False), (6, True)])
def test_the_top_5_of_more_than_five_classes_is_told(classes: int, told: bool) -> None:
    """Of five it is 1, whatever the model."""
    labels = np.arange(classes)
    names = [str(label) for label in labels]
    plain = {**compute_metrics(np.eye(classes), labels, names), "loss": 0.5}
    result = {**plain, "images": classes, "tta": {**plain, "kind": "mirror"}}
    text = "\n".join(evaluate.lines("test", result))
    assert text.count("top-5") == 2 * told
    assert text.count("balanced") == 2


def test_evaluate_takes_the_newest_of_a_name(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    assert call("evaluate", run.folder.parent, "--split", "validation").exit_code == 0


def test_a_full_disk_does_not_hide_the_result(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    with failing_from(1):
        result = call("evaluate", run)
        assert result.exit_code == 4
        assert "accuracy        0." in result.stdout
        assert "evaluation.json: cannot be written: no space is left" in result.stderr
        result = call("evaluate", run, "--json")
    require_error_document(result, 4, "storage", "evaluation.json")
    assert document(result)["accuracy"] > 0
