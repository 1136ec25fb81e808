"""Metrics that weigh classes alike: scikit-learn's numbers."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from zoo import class_metrics
from zoo.artifact.trained_run import softmax

CLASSES = 4


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels (images,) of some of four classes, and logits (images, classes) with ties."""
    images = draw(st.integers(1, 30))
    labels = draw(st.lists(st.integers(0, CLASSES - 1), min_size=images, max_size=images))
    size = images * CLASSES
    logits = draw(st.lists(st.integers(-2, 2), min_size=size, max_size=size))
    return np.array(labels), np.array(logits, np.float32).reshape(images, CLASSES)


@given(answers())
def test_metrics_are_those_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = drawn
    predicted = logits.argmax(axis=1)
    table = class_metrics.confusion_matrix(labels, predicted, CLASSES)
    np.testing.assert_array_equal(
        table, metrics.confusion_matrix(labels, predicted, labels=range(CLASSES))
    )
    macro = {"average": "macro", "zero_division": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # A predicted class may have no images.
        balanced = metrics.balanced_accuracy_score(labels, predicted)
    assert class_metrics.from_confusion_matrix(table) == pytest.approx(
        {
            "balanced_accuracy": balanced,
            "f1": metrics.f1_score(labels, predicted, **macro),
            "recall": metrics.recall_score(labels, predicted, **macro),
        }
    )
    assert class_metrics.never_predicted(table) == sorted(set(labels) - set(predicted))


@given(answers())
def test_auc_is_that_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = drawn
    present = sorted(set(labels))
    found = class_metrics.auc(labels, logits)
    if len(present) < 2:
        assert math.isnan(found)
        return
    # Rounded, so that equal logits have equal probabilities.
    probabilities = softmax(logits).round(6)
    expected = [
        metrics.roc_auc_score(labels == number, probabilities[:, number]) for number in present
    ]
    assert found == pytest.approx(np.mean(expected), abs=1e-9)


def test_auc_of_logits_whose_probabilities_round_to_one() -> None:
    """Float32 probabilities of these are all 1 for the first class; their order is known still."""
    labels = np.array([0, 0, 1, 1])
    logits = np.array([[90, 0], [80, 0], [70, 0], [60, 0]], np.float32)
    assert class_metrics.auc(labels, logits) == 1.0
    assert math.isnan(class_metrics.auc(labels, logits * np.nan))


def test_what_is_said_of_classes_that_are_never_predicted() -> None:
    text = class_metrics.say_never_predicted(["dog", "emu"], "test image")
    assert text == "no test image was taken for dog, emu (recall 0)"
