"""Weights of the classes, and what they make of a loss."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from zoo.class_weights import checked_class_weights, class_weights, loss_weights, mean_weight
from zoo.datasets.splits import ArraySplit, Splits
from zoo.errors import RecipeError
from zoo.losses import SigmoidCrossEntropy
from zoo.recipe import load
from zoo.recipe.train_block import ClassWeight


def splits(labels: list[int], classes: int) -> Splits:
    array = np.array(labels, np.int32)
    split = ArraySplit(np.zeros((len(array), 4, 4, 1), np.uint8), array)
    names = tuple("abcdefgh"[:classes])
    return Splits(
        train=split, validation=split, test=None, class_names=names, image_shape=(4, 4, 1),
        fingerprint="",
    )  # fmt: skip


def test_balanced_weights() -> None:
    recipe = load("digits-tiny", ["train.class_weight=balanced"])
    data = splits([0, 0, 0, 1, 2, 2], 3)
    weights = checked_class_weights(recipe, data)
    assert weights is not None
    np.testing.assert_allclose(weights, [6 / 9, 6 / 3, 6 / 6])
    assert mean_weight(weights, data.train.labels) == pytest.approx(1)


def test_balanced_weights_of_a_class_without_images() -> None:
    recipe = load("digits-tiny", ["train.class_weight=balanced"])
    data = splits([0, 0, 0, 2], 3)
    weights = checked_class_weights(recipe, data)
    assert weights is not None
    np.testing.assert_allclose(weights, [4 / 6, 1, 4 / 2])
    assert mean_weight(weights, data.train.labels) == pytest.approx(1)


def test_given_weights_need_as_many_classes() -> None:
    """Where only the data know how many there are."""
    recipe = load("digits-tiny", ["train.class_weight={values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]}"])
    with pytest.raises(RecipeError, match="values.weights: .* Expected 3 numbers.* Received 10"):
        checked_class_weights(recipe, splits([0, 1, 2], 3))


def test_no_weights() -> None:
    assert checked_class_weights(load("digits-tiny"), splits([0, 1], 2)) is None
    assert mean_weight(None, np.array([0, 1])) == 1


def test_balanced_weights_of_multi_label_images_are_no_over_yes() -> None:
    choice = ClassWeight.model_validate("balanced")
    labels = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    weights = class_weights(choice, labels, 3)
    np.testing.assert_allclose(weights, [2 / 2, 2 / 2, 2 / 2])
    rare = np.array([[1, 0], [0, 0], [0, 0], [0, 0]], np.uint8)
    weights = class_weights(choice, rare, 2)
    np.testing.assert_allclose(weights, [3, 1])
    each = loss_weights(weights, rare)
    np.testing.assert_array_equal(each, [[3, 1], [1, 1], [1, 1], [1, 1]])
    assert mean_weight(weights, rare) == pytest.approx(10 / 8)
    # As TensorFlow weighs what is there.
    logits = np.array([[2.0, -1.0], [-0.2, -3.0], [1.0, 0.5], [0.0, 9.0]], np.float32)
    expected = tf.nn.weighted_cross_entropy_with_logits(
        rare[:, :1].astype(np.float32), logits[:, :1], 3.0
    )
    own = SigmoidCrossEntropy()(rare[:, :1], logits[:, :1], sample_weight=each[:, :1])
    assert float(own) == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-6)
