"""Batches as a pure function of (seed, global step): what makes a killed run resume exactly.

Step `s` belongs to epoch `s // steps_per_epoch`; the epoch's order and the batch's augmentation
are drawn from generators keyed by hashes of (seed, epoch) and (seed, step). Nothing is carried from
one batch to the next, so any step can be made at any time, in any thread.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from zoo import seeds
from zoo.augment import augmented
from zoo.data.splits import Split
from zoo.recipe.words import Choice

Batch = tuple[np.ndarray, np.ndarray]  # uint8 (batch, height, width, channels), int32 (batch,)

AHEAD = 4  # Batches made before they are asked for.


class Batches:
    """The training batches of a split.

    Args:
        split: where images and labels come from.
        batch_size: images a step.
        seed: the run's seed.
        augment: the recipe's augmentations.
        drop_remainder: whether a last batch that is not full is left out.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int,
        augment: Sequence[Choice] = (),
        drop_remainder: bool = False,
    ) -> None:
        self.split = split
        self.batch_size = batch_size
        self.seed = seed
        self.augment = tuple(augment)
        count = len(split)
        full, rest = divmod(count, batch_size)
        self.steps_per_epoch = full if drop_remainder and full else full + bool(rest)
        self.error: Exception | None = None
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def _draw_order(self, epoch: int) -> np.ndarray:
        return self._generator("order", epoch).permutation(len(self.split))

    def _generator(self, *names: str | int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=seeds.derive(self.seed, *names, bits=128)))

    @property
    def images_per_step(self) -> float:
        """Images of a mean step, the last one of an epoch included."""
        steps = range(self.steps_per_epoch)
        return sum(map(self.size, steps)) / len(steps)

    def indices(self, step: int) -> np.ndarray:
        """Which images of the split the step trains on."""
        epoch, index = divmod(step, self.steps_per_epoch)
        return self._order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]

    def size(self, step: int) -> int:
        """Images in the step's batch."""
        index = step % self.steps_per_epoch
        return min(self.batch_size, len(self.split) - index * self.batch_size)

    def __call__(self, step: int) -> Batch:
        """The step's batch, augmented: uint8 images and int32 labels.

        What goes wrong is also kept in `error`, since whoever calls this may wrap it.
        """
        try:
            return self._make(step)
        except Exception as error:
            self.error = error
            raise

    def _make(self, step: int) -> Batch:
        chosen = self.indices(int(step))
        images = self.split.images(chosen)
        if self.augment:
            images = augmented(images, self.augment, self._generator("augment", int(step)))
        return images, self.split.labels[chosen]


def feed(batches: Batches, first: int) -> Any:
    """An endless feed for `keras.Model.fit` from step `first` on: tf.data, or a generator."""
    if keras.backend.backend() == "tensorflow":
        return _tf_feed(batches, first)
    return _ahead(batches, first)


def _tf_feed(batches: Batches, first: int) -> Any:
    import tensorflow as tf

    shape = batches(first)[0].shape[1:]

    def make(step: Any) -> tuple[Any, Any]:
        # stateless: the function is pure, so tf.data may run several at once even where
        # operations must be deterministic.
        images, labels = tf.numpy_function(batches, [step], (tf.uint8, tf.int32), stateful=False)
        return tf.ensure_shape(images, (None, *shape)), tf.ensure_shape(labels, (None,))

    steps = tf.data.Dataset.counter(first)
    return steps.map(make, num_parallel_calls=2, deterministic=True).prefetch(AHEAD)


def _ahead(batches: Batches, first: int) -> Iterator[Batch]:
    with ThreadPoolExecutor(2, "batches") as pool:
        made = deque(pool.submit(batches, step) for step in range(first, first + AHEAD))
        for step in itertools.count(first + AHEAD):
            batch = made.popleft().result()
            made.append(pool.submit(batches, step))
            yield batch


class InOrder(keras.utils.PyDataset):
    """A split once, in order, for evaluation and prediction; as it is, or as `view` shows it."""

    def __init__(
        self,
        split: Split,
        batch_size: int = 256,
        view: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        super().__init__(workers=1)
        self.view = view
        self.split = split
        self.batch_size_ = batch_size

    @property
    def num_batches(self) -> int:
        return -(-len(self.split) // self.batch_size_)

    def __getitem__(self, index: int) -> Batch:
        first = index * self.batch_size_
        chosen = np.arange(first, min(first + self.batch_size_, len(self.split)))
        images = self.split.images(chosen)
        return self.view(images) if self.view else images, self.split.labels[chosen]
