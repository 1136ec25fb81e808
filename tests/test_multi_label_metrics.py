"""The metrics against scikit-learn's."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from zoo import multi_label_metrics as own
from zoo.multi_label import THRESHOLD

CASES = st.tuples(
    st.integers(1, 60), st.integers(1, 6), st.floats(0, 1), st.integers(0, 8), st.integers(0, 99)
)


def draw(case: tuple[int, int, float, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and logits; of few levels, many logits are equal."""
    images, classes, share, levels, seed = case
    rng = np.random.default_rng(seed)
    labels = (rng.random((images, classes)) < share).astype(np.uint8)
    logits = rng.normal(size=(images, classes)) + labels
    if levels:
        logits = np.round(logits * levels) / levels
    return labels, logits.astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(CASES)
def test_metrics_are_those_of_scikit_learn(case: tuple[int, int, float, int, int]) -> None:
    labels, logits = draw(case)
    classes = range(labels.shape[1])
    precisions, areas = own.average_precision(labels, logits), own.roc_areas(labels, logits)
    for number in classes:
        truth, scores = labels[:, number], logits[:, number]
        if not truth.any():
            assert isnan(precisions[number])
            assert isnan(areas[number])
            continue
        assert precisions[number] == pytest.approx(metrics.average_precision_score(truth, scores))
        if truth.all():
            assert isnan(areas[number])
        else:
            assert areas[number] == pytest.approx(metrics.roc_auc_score(truth, scores))
    answers = own.decisions(logits)
    counts = own.Counts(labels, answers)
    table = np.array(
        [
            metrics.precision_recall_fscore_support(
                labels[:, number], answers[:, number], average="binary", zero_division=0.0
            )[:3]
            for number in classes
        ]
    )
    np.testing.assert_allclose(np.stack([counts.precision, counts.recall, counts.f1], 1), table)
    np.testing.assert_array_equal(counts.images, labels.sum(axis=0))
    means = counts.means()
    micro = metrics.f1_score(labels.ravel(), answers.ravel(), average="binary", zero_division=0.0)
    assert means["micro_f1"] == pytest.approx(micro)
    seen = [number for number in classes if labels[:, number].any() or answers[:, number].any()]
    if seen:
        assert means["f1"] == pytest.approx(table[seen, 2].mean())
        assert means["recall"] == pytest.approx(table[seen, 1].mean())
    assert counts.hamming_loss() == pytest.approx(
        metrics.hamming_loss(labels.ravel(), answers.ravel())
    )


def test_classes_without_images_are_left_out_of_the_mean() -> None:
    labels = np.array([[1, 0], [0, 0]], np.uint8)
    logits = np.array([[-1.0, 5.0], [1.0, -5.0]], np.float32)
    precisions = own.average_precision(labels, logits)
    assert precisions[0] == 0.5
    assert own.mean_of_defined(precisions) == 0.5
    assert isnan(own.mean_of_defined(np.array([np.nan])))


def test_a_logit_that_is_no_number_makes_no_metric() -> None:
    labels, logits = np.eye(2, dtype=np.uint8), np.array([[np.nan, 0.0], [0.0, 1.0]])
    assert np.isnan(own.average_precision(labels, logits)).all()
    assert np.isnan(own.roc_areas(labels, logits)).all()


def test_classes_that_are_never_named() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0]], np.uint8)
    answers = np.array([[True, False, True], [False, False, False]])
    assert own.Counts(labels, answers).never_predicted == [1]


def test_yes_begins_at_one_half() -> None:
    assert own.decisions(np.array([-0.01, 0.0, 0.01])).tolist() == [False, True, True]
    assert THRESHOLD == 0.5
