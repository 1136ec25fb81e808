"""Batches as `keras.Model.fit` takes them: made ahead in threads, by tf.data on TensorFlow."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras

from zoo.backend.lifetimes import weakly
from zoo.batches import Batch, Batches, EvaluationBatches
from zoo.datasets.splits import Split

AHEAD = 4  # Batches made before they are asked for.


def training_dataset(batches: Batches, first_step: int) -> Any:
    """Returns endless training batches from a step on, as `keras.Model.fit` takes them.

    Args:
        batches: the batches to iterate over.
        first_step: step of the first batch, counted from 0 over the whole training.

    Returns:
        A tf.data.Dataset on TensorFlow, else a generator. Both make batches ahead in threads.
    """
    if keras.backend.backend() != "tensorflow":
        return _generate_ahead(batches, first_step)
    import tensorflow as tf

    steps = tf.data.Dataset.counter(first_step)
    make = _as_tensorflow(batches, example=batches(first_step))
    dataset = steps.map(make, num_parallel_calls=2, deterministic=True).prefetch(AHEAD)
    dataset.batches = batches  # Its function holds them weakly.
    return dataset


def evaluation_dataset(split: Split) -> Any:
    """Returns the batches of a split in the form that is fastest to iterate over many times.

    Args:
        split: source of images and labels.

    Returns:
        A tf.data.Dataset on TensorFlow, else `EvaluationBatches`. Each batch is
        (uint8 images, int32 labels).
    """
    batches = EvaluationBatches(split)
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    indices = tf.data.Dataset.range(batches.num_batches)
    dataset = indices.map(_as_tensorflow(batches.__getitem__, example=batches[0])).prefetch(1)
    dataset.batches = batches  # Its function holds them weakly.
    return dataset


def _as_tensorflow(make: Callable[[int], Batch], example: Batch) -> Callable[[Any], Any]:
    """Wraps a function from a number to a batch for `tf.data.Dataset.map`.

    `example` is any batch: it gives the dtypes, and the shapes but for the batch's size.
    """
    import tensorflow as tf

    dtypes = [tf.as_dtype(array.dtype) for array in example]
    call = weakly(make)

    def make_tensors(number: Any) -> tuple[Any, ...]:
        # stateful=False: the function is pure, so tf.data may run several calls at once even where
        # operations must be deterministic.
        tensors = tf.numpy_function(call, [number], dtypes, stateful=False)
        return tuple(
            tf.ensure_shape(tensor, (None, *array.shape[1:]))
            for tensor, array in zip(tensors, example, strict=True)
        )

    return make_tensors


def _generate_ahead(batches: Batches, first_step: int) -> Iterator[Batch]:
    """Yields batches endlessly; two threads make the next `AHEAD` of them."""
    with ThreadPoolExecutor(2, "batches") as pool:
        first_jobs = range(first_step, first_step + AHEAD)
        jobs = deque(pool.submit(batches, step) for step in first_jobs)
        for step in itertools.count(first_step + AHEAD):
            batch = jobs.popleft().result()
            jobs.append(pool.submit(batches, step))
            yield batch
