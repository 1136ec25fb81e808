"""Scores of a model at a rung, for images with any number of classes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from tests.runs import tiny
from tuning.trial_observer import RungScorer
from zoo.datasets.splits import ArraySplit

LABELS = (np.random.default_rng(0).random((600, 3)) < [0.5, 0.2, 0.05]).astype(np.uint8)


def model(logits: np.ndarray) -> Any:
    """Answers the logits of the images whose first two bytes are their number."""

    def predict_on_batch(images: np.ndarray) -> np.ndarray:
        return logits[images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 1, 0]]

    return SimpleNamespace(predict_on_batch=predict_on_batch)


def scorer() -> RungScorer:
    images = np.zeros((600, 1, 2, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(600), 256)
    return RungScorer(ArraySplit(images, LABELS), 3)


@pytest.mark.parametrize(
    "objective, expected",
    [
        ("val_mean_average_precision", metrics.average_precision_score),
        ("val_auc", metrics.roc_auc_score),
        ("val_accuracy", lambda y, z: metrics.accuracy_score(y, z >= 0)),
        ("val_f1", lambda y, z: metrics.f1_score(y, z >= 0, average="macro")),
        ("val_micro_f1", lambda y, z: metrics.f1_score(y, z >= 0, average="micro")),
        ("val_recall", lambda y, z: metrics.recall_score(y, z >= 0, average="macro")),
        ("val_loss", lambda y, z: -np.mean(np.logaddexp(0, z) - y * z)),
    ],
)
def test_scores_are_those_of_scikit_learn(tmp_path: Path, objective: str, expected: Any) -> None:
    """And what knows the images is better than a guess."""
    recipe = tiny(tmp_path, "train.loss=sigmoid")
    rng = np.random.default_rng(1)
    logits = (rng.normal(size=LABELS.shape) + 4 * LABELS - 2).astype(np.float32)
    rung = scorer()
    score = rung.score(model(logits), objective, recipe)
    assert score == pytest.approx(expected(LABELS, logits.astype(np.float64)), rel=1e-5)
    assert score > rung.guessing_score(objective, recipe)
    if objective in ("val_mean_average_precision", "val_auc", "val_accuracy"):
        noise = rng.normal(size=LABELS.shape).astype(np.float32)
        assert rung.score(model(noise), objective, recipe) < rung.guessing_score(objective, recipe)
