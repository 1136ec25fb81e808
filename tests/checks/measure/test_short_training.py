"""What a short training leaves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from zoo.checks.measure import short_training


def test_filters_smooth_and_noisy() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:5, 0:5]
    waves = np.stack([np.sin(rows / 2 + k) + np.cos(columns / 2 - k) for k in range(8)], axis=-1)
    smooth, p = short_training.morans_i(waves[:, :, None], rng)
    assert smooth > 0.3
    assert p < 0.01
    noise, p = short_training.morans_i(rng.normal(size=(5, 5, 3, 16)), rng)
    assert abs(noise) < 0.2
    assert p > 0.01


def test_ranking_of_images_with_any_number_of_classes() -> None:
    """The mean AUC, and what a guess stays below."""
    rng = np.random.default_rng(0)
    labels = (rng.random((500, 4)) < 0.2).astype(np.uint8)
    guess = short_training._ranking(rng.normal(size=labels.shape), labels)
    known = short_training._ranking(rng.normal(size=labels.shape) + 2 * labels, labels)
    assert guess["accuracy"] < guess["bound"] < known["accuracy"]
    assert guess["bound"] == known["bound"] < 0.65
    assert known["accuracy"] == pytest.approx(
        metrics.roc_auc_score(labels, rng.normal(size=labels.shape) + 2 * labels), abs=0.05
    )
    none = short_training._ranking(np.zeros((5, 2)), np.zeros((5, 2), np.uint8))
    assert none == {"accuracy": 0.0, "bound": 1.0, "measure": "AUC"}
