"""Batches in the form that Keras iterates over are those of `Batches`, in their order."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from tests.test_batches import AUGMENT, MIX, WEIGHTS, equal, noise
from zoo.batch_datasets import AHEAD, _generate_ahead, training_dataset
from zoo.batches import Batches
from zoo.datasets.splits import ArraySplit


@pytest.mark.parametrize(
    "augment, weights", [(AUGMENT, None), (MIX, None), (AUGMENT, WEIGHTS), (MIX, WEIGHTS)]
)
@pytest.mark.parametrize("first", [0, 4, 13, 999])
def test_datasets_agree_from_any_step(first: int, augment: Any, weights: Any) -> None:
    """tf.data, the generator of other backends, and plain calls: one sequence."""
    batches = Batches(noise(30), 7, 3, augment, num_classes=30, class_weights=weights)
    count = 2 * batches.steps_per_epoch + AHEAD
    expected = [batches(first + i) for i in range(count)]
    by_tf = training_dataset(batches, first).take(count).as_numpy_iterator()
    by_generator = _generate_ahead(batches, first)
    for batch, from_tf, from_generator in zip(
        expected, by_tf, islice(by_generator, count), strict=True
    ):
        assert equal(batch, from_tf)
        assert equal(batch, from_generator)
    by_generator.close()


def test_dataset_has_static_shapes() -> None:
    """The last batch is smaller, so the batch is free; all else is known."""
    images, labels = training_dataset(Batches(noise(30), 7, 3), 0).element_spec
    assert images.shape.as_list() == [None, 4, 4, 1]
    assert labels.shape.as_list() == [None]
    batches = Batches(noise(30), 7, 3, MIX, num_classes=30, class_weights=WEIGHTS)
    images, labels, weights = training_dataset(batches, 0).element_spec
    assert images.shape.as_list() == [None, 4, 4, 1]
    assert (labels.shape.as_list(), labels.dtype.name) == ([None, 30], "float32")
    assert (weights.shape.as_list(), weights.dtype.name) == ([None], "float32")


class Broken(ArraySplit):
    def images(self, indices: np.ndarray) -> np.ndarray:
        raise OSError("the disk is gone")


def test_a_failing_split_ends_the_iteration() -> None:
    split = noise(30)
    batches = Batches(Broken(split.pixels, split.labels), 7, 3)
    with pytest.raises(OSError, match="the disk is gone"):
        next(_generate_ahead(batches, 0))
