"""Metrics against hand counts and scikit-learn; the test split is counted each time it is used."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from tests.runs import copied
from zoo.artifact.trained_run import TrainedRun, softmax
from zoo.datasets.load import load as load_data
from zoo.errors import DataError
from zoo.evaluate import calibration_error, compute_metrics, evaluate, mean_loss
from zoo.recipe import load
from zoo.rundir import Run

NAMES = ["cat", "dog", "eel"]
# Guesses 0, 1, 2, 0, 0 for the labels below: three right.
LOGITS = np.array([[3, 1, 0], [0, 2, 1], [0, 1, 2], [5, 0, 0], [1, 0, 0]], np.float32)
LABELS = np.array([0, 1, 2, 1, 2], np.int32)


def test_by_hand() -> None:
    result = compute_metrics(LOGITS, LABELS, NAMES)
    assert result["images"] == 5
    assert result["accuracy"] == 0.6
    assert result["confusion_matrix"] == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    cat, dog, eel = result["per_class"]
    assert cat == {
        "class": "cat", "precision": pytest.approx(1 / 3), "recall": 1.0, "f1": 0.5, "images": 1,
    }  # fmt: skip
    assert (dog["precision"], dog["recall"], dog["images"]) == (1.0, 0.5, 2)
    assert (eel["precision"], eel["recall"], eel["f1"]) == (1.0, 0.5, pytest.approx(2 / 3))


def test_class_without_images_and_guesses() -> None:
    result = compute_metrics(LOGITS[:2], LABELS[:2], NAMES)
    assert result["per_class"][2] == {
        "class": "eel", "precision": 0.0, "recall": 0.0, "f1": 0.0, "images": 0,
    }  # fmt: skip
    assert np.shape(result["confusion_matrix"]) == (3, 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(1, 40), st.integers(0, 1000))
def test_against_scikit_learn(classes: int, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, classes)).astype(np.float32)
    labels = generator.integers(0, classes, count).astype(np.int32)
    result = compute_metrics(logits, labels, [str(i) for i in range(classes)])
    guesses = logits.argmax(axis=1)
    assert result["accuracy"] == pytest.approx(metrics.accuracy_score(labels, guesses))
    order = np.argsort(-logits, axis=1)[:, :5]
    top = np.mean([label in row for label, row in zip(labels, order, strict=True)])
    assert result["top5_accuracy"] == pytest.approx(top)
    assert np.sum(result["confusion_matrix"]) == count
    assert 0 <= result["ece"] <= 1
    json.dumps(result, allow_nan=False)


def test_top5_of_three_classes_is_one() -> None:
    assert compute_metrics(LOGITS, LABELS, NAMES)["top5_accuracy"] == 1.0


def test_top5_of_a_dead_network() -> None:
    """Equal scores for all of ten classes are right for five of them, not for all."""
    logits, labels = np.zeros((10, 10), np.float32), np.arange(10, dtype=np.int32)
    assert compute_metrics(logits, labels, list("abcdefghij"))["top5_accuracy"] == 0.5


def test_calibration_by_hand() -> None:
    """Bins of 15ths: 0.95 and 0.94 share one, half right; 0.5 stands alone and is right."""
    probabilities = np.array([[0.95, 0.05], [0.94, 0.06], [0.5, 0.5]])
    labels = np.array([0, 1, 0])
    # |1 - (0.95 + 0.94)| + |1 - 0.5| over 3 images
    assert calibration_error(probabilities, labels) == pytest.approx((0.89 + 0.5) / 3)


def test_calibration_at_its_ends() -> None:
    sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert calibration_error(sure, np.array([0, 0])) == 0.0
    assert calibration_error(sure, np.array([1, 1])) == 1.0
    assert calibration_error(sure, np.array([0, 1])) == 0.5


def test_softmax_of_large_logits() -> None:
    result = softmax(np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]], np.float32))
    np.testing.assert_allclose(result, [[1, 0, 0], [1 / 3] * 3])


# Of a run.


@pytest.fixture(scope="module")
def model(trained: Run) -> Any:
    """The run's model. Shared, since each model compiles its own prediction."""
    return TrainedRun(trained).model


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    return copied(trained, tmp_path)


def opened(run: Run, model: Any) -> TrainedRun:
    loaded = TrainedRun(run)
    loaded.model = model
    return loaded


def test_evaluation_of_a_run(run: Run, model: Any) -> None:
    loaded = opened(run, model)
    result = evaluate(loaded)
    stored = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
    assert stored == {**result, "model_sha256": run.model_digest()}
    assert result["split"] == "test"
    assert result["images"] == 360
    split = load_data(loaded.recipe).test
    assert split is not None
    logits = loaded.logits(split)
    assert result["accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == split.labels))
    expected = metrics.log_loss(split.labels, softmax(logits))
    assert result["loss"] == pytest.approx(expected, rel=1e-5)
    streamed = replace(split, streamed=True)  # type: ignore[type-var]
    assert loaded.logits(streamed).tobytes() == logits.tobytes()


def test_evaluations_on_test_are_counted(run: Run, model: Any) -> None:
    loaded = opened(run, model)
    counts = [evaluate(loaded)["test_evaluations"], evaluate(loaded)["test_evaluations"]]
    evaluate(loaded, "validation")
    counts.append(evaluate(opened(run, model))["test_evaluations"])
    assert counts == [1, 2, 3]
    assert run.info()["test_evaluations"] == 3


def test_validation_does_not_read_the_test_split(
    run: Run, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_test(*arguments: Any, **keywords: Any) -> Any:
        data = load_data(*arguments, **keywords)
        vars(data)["test"] = None
        return data

    monkeypatch.setattr("zoo.evaluate.load_data", without_test)
    assert evaluate(opened(run, model), "validation")["images"] == 180
    assert not run.evaluation_file.exists()
    with pytest.raises(DataError, match="the data have no test split"):
        evaluate(opened(run, model))


def test_changed_data_are_refused(run: Run, model: Any) -> None:
    """Images of the training might be in the test split now."""
    info = run.info()
    run.update(data={**info["data"], "fingerprint": "0" * 64})
    with pytest.raises(DataError, match="the data changed since"):
        evaluate(opened(run, model))


def test_images_with_any_number_of_classes(collages: Run, tmp_path: Path) -> None:
    """Against scikit-learn, from the model's own logits; what makes no sense is None."""
    from tests.collages import as_digits

    trained = TrainedRun(copied(collages, tmp_path))
    with as_digits():
        result = evaluate(trained, tta="mirror")
        split = load_data(trained.recipe).test
    assert split is not None
    labels, logits = split.labels, trained.logits(split)
    answers = logits >= 0
    assert result["mean_average_precision"] == pytest.approx(
        metrics.average_precision_score(labels, logits, average="macro")
    )
    assert result["auc"] == pytest.approx(metrics.roc_auc_score(labels, logits))
    assert result["f1"] == pytest.approx(metrics.f1_score(labels, answers, average="macro"))
    assert result["micro_f1"] == pytest.approx(metrics.f1_score(labels, answers, average="micro"))
    assert result["accuracy"] == pytest.approx(metrics.accuracy_score(labels, answers))
    assert result["hamming_loss"] == pytest.approx(metrics.hamming_loss(labels, answers))
    tables = metrics.multilabel_confusion_matrix(labels, answers)
    assert result["multilabel_confusion_matrix"] == tables.tolist()
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = metrics.log_loss(labels.ravel(), probabilities.ravel())
    assert result["loss"] == pytest.approx(expected, rel=1e-5)
    assert 0 < result["ece"] < 0.2
    assert result["confusion_matrix"] is result["top5_accuracy"] is None
    precisions = [entry["average_precision"] for entry in result["per_class"]]
    assert np.mean(precisions) == pytest.approx(result["mean_average_precision"])
    assert [entry["images"] for entry in result["per_class"]] == labels.sum(axis=0).tolist()
    assert result["tta"].keys() > {"kind", "mean_average_precision", "micro_f1", "loss"}
    stored = trained.run.evaluation()
    assert stored is not None
    assert stored["multi_label"] is True
    from zoo.cli.evaluate import lines

    text = "\n".join(lines("test", result))
    assert f"mean average precision  {result['mean_average_precision']:.4f}" in text
    assert "with mirror" in text


def test_one_class_against_the_rest() -> None:
    """With sigmoid the likeliest class is the answer; its probability needs no others."""
    result = compute_metrics(LOGITS, LABELS, NAMES, by_sigmoid=True)
    softmaxed = compute_metrics(LOGITS, LABELS, NAMES)
    assert result["confusion_matrix"] == softmaxed["confusion_matrix"]
    assert result["auc"] == pytest.approx(
        np.mean([metrics.roc_auc_score(i == LABELS, LOGITS[:, i]) for i in range(3)])
    )
    probabilities = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    assert result["ece"] == pytest.approx(calibration_error(probabilities, LABELS))


@pytest.mark.parametrize(
    "smoothed, plain",
    [
        ("{sigmoid: {gamma: 2, label_smoothing: 0.2}}", "{sigmoid: {gamma: 2}}"),
        ("{sigmoid: {label_smoothing: 0.2}}", "sigmoid"),
        ("{softmax: {label_smoothing: 0.2}}", "softmax"),
    ],
)
def test_the_loss_has_no_label_smoothing(minimal: Path, smoothed: str, plain: str) -> None:
    logits, labels = np.array([[2.0, -1.0], [0.5, 1.0]], np.float32), np.array([0, 1])
    values = [
        mean_loss(load(str(minimal), [f"train.loss={loss}"]).train.loss, logits, labels)
        for loss in (smoothed, plain)
    ]
    assert values[0] == values[1]
