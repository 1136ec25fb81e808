"""The least loss of one answer, against a search for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize  # type: ignore[import-untyped]

from zoo import losses
from zoo.checks.measure.loss import data_losses
from zoo.entropy import constant_loss, label_entropy
from zoo.recipe.train_block import Loss

SINGLE = np.array([0, 0, 0, 1, 2, 2], np.int32)
MULTI = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]], np.uint8)
WEIGHTS = np.array([0.5, 3.0, 1.0], np.float32)


def least(choice: Any, labels: np.ndarray, weights: np.ndarray | None) -> float:
    def mean_loss(logits: np.ndarray) -> float:
        scores = np.broadcast_to(logits, (len(labels), 3))
        return float(data_losses(choice, scores, labels, weights).mean())

    return float(minimize(mean_loss, np.zeros(3)).fun)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
@pytest.mark.parametrize(
    "word, labels", [("softmax", SINGLE), ("sigmoid", SINGLE), ("sigmoid", MULTI)]
)
def test_no_constant_answer_is_better(
    word: str, labels: np.ndarray, weights: np.ndarray | None
) -> None:
    choice = Loss.model_validate(word)
    expected = least(choice, labels, weights)
    assert constant_loss(choice, labels, weights, 3) == pytest.approx(expected, rel=1e-5)
    if weights is None:
        assert label_entropy(choice, labels, 3) == pytest.approx(expected, rel=1e-5)


def test_where_no_formula_is_it_is_the_loss_of_equal_scores() -> None:
    for word in ("svm", "focal", {"sigmoid": {"gamma": 2.0}}):
        choice = Loss.model_validate(word)
        mean = losses.uniform_loss(choice, 3) * WEIGHTS[SINGLE].mean()
        assert constant_loss(choice, SINGLE, WEIGHTS, 3) == pytest.approx(mean)


def test_labels_that_are_all_the_same_have_none() -> None:
    for word in ("softmax", "sigmoid"):
        assert label_entropy(Loss.model_validate(word), np.zeros(4, np.int32), 3) == 0
    assert label_entropy(Loss.model_validate("sigmoid"), MULTI[[2, 2]], 3) == 0
