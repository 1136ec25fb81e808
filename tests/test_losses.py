"""The losses against their formulas, by hand and in numpy; their gradients against differences."""

from __future__ import annotations

from math import log
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import backend, losses
from zoo.losses import (
    Accuracy,
    ExactMatch,
    FocalCrossEntropy,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    WestonWatkins,
    make_loss,
    uniform_loss,
)
from zoo.recipe import words
from zoo.recipe.train_block import Loss

FEW = settings(max_examples=40, deadline=None)


def softmax_reference(logits: np.ndarray, target: np.ndarray, smoothing: float) -> float:
    target = target * (1 - smoothing) + smoothing / logits.shape[1]
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-(target * logs).sum(axis=1).mean())


def svm_reference(logits: np.ndarray, labels: np.ndarray, margin: float) -> float:
    """The lecture's loop over images and wrong classes."""
    total = 0.0
    for scores, label in zip(logits, labels, strict=True):
        total += sum(
            max(0.0, score - scores[label] + margin) for j, score in enumerate(scores) if j != label
        )
    return total / len(labels)


BATCH = st.integers(1, 5).flatmap(
    lambda count: st.integers(2, 6).flatmap(
        lambda classes: st.tuples(
            st.lists(
                st.lists(st.floats(-20, 20, width=32), min_size=classes, max_size=classes),
                min_size=count,
                max_size=count,
            ),
            st.lists(st.integers(0, classes - 1), min_size=count, max_size=count),
        )
    )
)


@FEW
@given(BATCH, st.sampled_from([0.0, 0.1, 0.9]))
def test_softmax_is_its_formula(batch: Any, smoothing: float) -> None:
    logits, labels = np.array(batch[0]), np.array(batch[1], np.int32)
    loss = SoftmaxCrossEntropy(smoothing, dtype="float64")
    expected = softmax_reference(logits, np.eye(logits.shape[1])[labels], smoothing)
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@FEW
@given(BATCH, st.sampled_from([0.5, 1.0, 3.0]))
def test_svm_is_its_formula(batch: Any, margin: float) -> None:
    logits, labels = np.array(batch[0]), np.array(batch[1], np.int32)
    loss = WestonWatkins(margin, dtype="float64")
    expected = svm_reference(logits, labels, margin)
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@FEW
@given(BATCH, st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0.25, 1.0]))
def test_focal_is_its_formula(batch: Any, gamma: float, alpha: float) -> None:
    logits, labels = np.array(batch[0]), np.array(batch[1], np.int32)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = (shares / shares.sum(axis=1, keepdims=True))[np.arange(len(labels)), labels]
    expected = float((-alpha * (1 - p) ** gamma * np.log(p)).mean())
    loss = FocalCrossEntropy(gamma, alpha, dtype="float64")
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_keras_s_and_has_a_gradient_everywhere(gamma: float) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (6, 4)).astype(np.float32)
    labels = np.array([0, 1, 2, 3, 0, 1], np.int32)
    loss = FocalCrossEntropy(gamma, 0.3)
    peer = keras.losses.CategoricalFocalCrossentropy(0.3, gamma, from_logits=True)
    rows = np.eye(4, dtype=np.float32)[labels]
    assert float(loss(labels, logits)) == pytest.approx(float(peer(rows, logits)), rel=1e-5)
    mixed = 0.3 * rows + 0.7 * rows[::-1]
    assert float(loss(mixed, logits)) == pytest.approx(float(peer(mixed, logits)), rel=1e-5)
    far = tf.Variable(np.eye(4, dtype=np.float32) * 90)
    for target, sign in ((np.arange(4), 0), (np.array([1, 2, 3, 0]), 1)):
        with tf.GradientTape() as tape:
            value = loss(target.astype(np.int32), far)
        gradient = tape.gradient(value, far).numpy()
        assert np.isfinite(gradient).all()
        # Where Keras's has none: all wrong by far.
        assert np.abs(gradient).max() == pytest.approx(sign * 0.3 / 4, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_softmax_of_equal_scores(classes: int, smoothing: float) -> None:
    labels = np.arange(2, dtype=np.int32)
    for logits in (np.zeros((2, classes), np.float32), np.full((2, classes), 7.0, np.float32)):
        actual = float(SoftmaxCrossEntropy(smoothing)(labels, logits))
        assert actual == pytest.approx(log(classes), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_svm_of_equal_scores(classes: int) -> None:
    labels = np.arange(2, dtype=np.int32)
    assert float(WestonWatkins()(labels, np.zeros((2, classes)))) == classes - 1
    assert float(WestonWatkins(0.5)(labels, np.ones((2, classes)))) == (classes - 1) / 2


def test_svm_of_the_lecture() -> None:
    """CS231n, lecture 3: cat, car and frog give 2.9, 0 and 12.9; their mean is 5.27."""
    scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
    loss = WestonWatkins(reduction=None, dtype="float64")
    actual = np.asarray(loss(np.arange(3), scores))
    np.testing.assert_allclose(actual, [2.9, 0.0, 12.9], atol=1e-9)


@pytest.mark.parametrize("word", sorted(set(words.LOSSES) - {"auto"}))
def test_uniform_loss(word: str) -> None:
    """What divergence is measured against is what the loss gives."""
    choice = Loss.model_validate(word)
    actual = float(make_loss(choice)(np.arange(4, dtype=np.int32), np.zeros((4, 7), np.float32)))
    assert actual == pytest.approx(uniform_loss(choice, 7), rel=1e-6)
    assert uniform_loss(Loss.model_validate({"svm": {"margin": 2.0}}), 7) == 12.0


@pytest.mark.parametrize(
    "loss", [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(0.2), FocalCrossEntropy(), WestonWatkins()]
)
def test_labels_in_any_shape(loss: keras.losses.Loss) -> None:
    """Integers, a column of them, and rows of probabilities mean the same."""
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    labels = np.array([0, 2, 1, 1, 0], np.int32)
    expected = float(loss(labels, logits))
    assert float(loss(labels[:, None], logits)) == expected
    assert float(loss(np.eye(3, dtype=np.float32)[labels], logits)) == pytest.approx(expected)


def test_soft_labels() -> None:
    """Mixed labels give the mixture of the losses of their parts."""
    logits = np.array([[1.0, -2.0, 0.5]])
    loss = SoftmaxCrossEntropy(dtype="float64")
    parts = [float(loss(np.array([label]), logits)) for label in (0, 2)]
    actual = float(loss(np.array([[0.25, 0.0, 0.75]]), logits))
    assert actual == pytest.approx(0.25 * parts[0] + 0.75 * parts[1])


def test_two_classes_with_a_column_of_labels() -> None:
    """(batch, 1) is a column of labels, not a row of probabilities."""
    logits = np.array([[5.0, 0.0], [5.0, 0.0]], np.float32)
    assert float(SoftmaxCrossEntropy()(np.array([[0], [0]]), logits)) < 0.01


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), WestonWatkins()])
def test_large_scores_stay_finite(loss: keras.losses.Loss) -> None:
    logits = np.array([[1e4, -1e4, 0.0]], np.float32)
    for label in range(3):
        assert np.isfinite(float(loss(np.array([label]), logits)))


@pytest.mark.parametrize(
    "loss",
    [
        SoftmaxCrossEntropy(0.0, dtype="float64"),
        SoftmaxCrossEntropy(0.3, dtype="float64"),
        WestonWatkins(1.0, dtype="float64"),
        WestonWatkins(2.5, dtype="float64"),
    ],
    ids=lambda loss: loss.name,
)
def test_gradient(loss: keras.losses.Loss) -> None:
    """Central differences, away from the hinge's kinks."""
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(4, 5)) * 2, np.array([0, 4, 2, 2])
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = loss(labels, variable)
    gradient = backend.to_numpy(tape.gradient(value, variable))
    step = 1e-6
    for index in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[index] += step
        down[index] -= step
        slope = (float(loss(labels, up)) - float(loss(labels, down))) / (2 * step)
        assert gradient[index] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(0.25), WestonWatkins(2.0)])
def test_serialisation(loss: keras.losses.Loss) -> None:
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is type(loss)
    assert restored.get_config() == loss.get_config()
    assert {0.25, 2.0} & set(restored.get_config().values())


def test_float64_is_not_narrowed() -> None:
    """Under the float64 policy the loss does not fall back to Keras's float32."""
    loss = losses.make_loss(Loss.model_validate("softmax"), "float64")
    logits = np.array([[0.0, 1e-12]])
    assert float(loss(np.array([0]), logits)) - log(2) == pytest.approx(5e-13, rel=0.01)


# Accuracy.


@pytest.mark.parametrize("rows", [False, True])
def test_accuracy_is_that_of_keras(rows: bool) -> None:
    """Over batches of several sizes, of labels in either form; with the same two variables."""
    generator = np.random.default_rng(0)
    ours, theirs = Accuracy(), keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    for size in (4, 7, 1):
        logits, labels = generator.normal(size=(size, 3)), generator.integers(0, 3, size)
        ours.update_state(np.eye(3, dtype=np.float32)[labels] if rows else labels, logits)
        theirs.update_state(labels, logits)
    assert float(ours.result()) == float(theirs.result())
    assert ours.name == theirs.name == "accuracy"
    described = [
        [(v.name, v.shape, v.dtype, float(backend.to_numpy(v))) for v in metric.variables]
        for metric in (ours, theirs)
    ]
    assert described[0] == described[1]


def test_accuracy_of_mixed_labels_is_that_of_the_largest_share() -> None:
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    metric = Accuracy()
    metric.update_state(np.array([[0.6, 0.0, 0.4], [0.3, 0.6, 0.1]], np.float32), logits)
    assert float(metric.result()) == 0.5


def test_accuracy_serialisation() -> None:
    restored = keras.metrics.deserialize(keras.metrics.serialize(Accuracy(name="hits")))
    assert isinstance(restored, Accuracy)
    assert restored.name == "hits"


MULTI_LABELS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
MULTI_LOGITS = np.array(
    [[2.0, -1.0, 0.3], [-0.2, -3.0, 4.0], [1.0, 0.5, 0.1], [0.0, 9.0, -30.0]], np.float32
)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_sigmoid_is_keras_s(smoothing: float, gamma: float) -> None:
    keras_loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
    if gamma:
        keras_loss = keras.losses.BinaryFocalCrossentropy(
            gamma=gamma, from_logits=True, label_smoothing=smoothing
        )
    own = SigmoidCrossEntropy(smoothing, gamma)
    for scale in (1.0, 0.1):
        logits = MULTI_LOGITS * scale
        expected = float(keras_loss(MULTI_LABELS.astype(np.float32), logits))
        assert float(own(MULTI_LABELS, logits)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_sigmoid_takes_one_class_against_the_rest() -> None:
    numbers = np.array([2, 0, 1, 1], np.int32)
    loss = SigmoidCrossEntropy(0.1)
    rows = np.eye(3, dtype=np.uint8)[numbers]
    assert float(loss(numbers, MULTI_LOGITS)) == float(loss(rows, MULTI_LOGITS))
    # A weight of an image counts for all of its classes.
    weights = np.array([1.0, 0.0, 2.0, 0.5], np.float32)
    expected = (loss.call(rows, MULTI_LOGITS).numpy().mean(axis=1) * weights).mean()
    assert float(loss(numbers, MULTI_LOGITS, sample_weight=weights)) == pytest.approx(expected)


def test_an_image_is_right_if_all_of_its_classes_are() -> None:
    metric = losses.make_accuracy(multi_label=True)
    metric.update_state(MULTI_LABELS, MULTI_LOGITS)
    right = ((MULTI_LOGITS >= 0) == MULTI_LABELS).all(axis=1)
    assert 0 < right.sum() < 4
    assert float(metric.result()) == pytest.approx(right.mean())
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert isinstance(again, ExactMatch)
    assert isinstance(losses.make_accuracy(multi_label=False), Accuracy)
