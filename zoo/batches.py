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
from zoo.augment import AugmentRng, augmented
from zoo.data.splits import Split
from zoo.recipe import words as names
from zoo.recipe.fields import Choice

# Images, uint8 (batch, height, width, channels). Labels, int32 (batch,), or float32 rows (batch,
# classes) where they are mixed. And, where classes are weighted, float32 weights (batch,).
Batch = tuple[np.ndarray, ...]

AHEAD = 4  # Batches made before they are asked for.


class Batches:
    """The training batches of a split.

    Args:
        split: where images and labels come from.
        batch_size: images a step.
        seed: the run's seed.
        augment: the recipe's augmentations.
        drop_remainder: whether a last batch that is not full is left out.
        num_classes: needed where an augmentation mixes labels.
        class_weights: the weight of each class, or None.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int,
        augment: Sequence[Choice] = (),
        drop_remainder: bool = False,
        num_classes: int = 0,
        class_weights: np.ndarray | None = None,
    ) -> None:
        self.split = split
        self.batch_size = batch_size
        self.seed = seed
        self.augment = tuple(augment)
        self.mixes = any(step.word in names.MIXING for step in self.augment)
        self.num_classes = num_classes
        self.class_weights = class_weights
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
        """The step's batch, augmented.

        What goes wrong is also kept in `error`, since whoever calls this may wrap it.
        """
        try:
            return self._make(step)
        except Exception as error:
            self.error = error
            raise

    def _make(self, step: int) -> Batch:
        step = int(step)
        chosen = self.indices(step)
        images, labels = self.split.images(chosen), self.split.labels[chosen]
        if self.mixes:
            labels = np.eye(self.num_classes, dtype=np.float32)[labels]
        if self.augment:
            rng, epoch = self._generator("augment", step), step // self.steps_per_epoch
            draw = AugmentRng(rng, self.seed, epoch, chosen)
            images, labels = augmented(images, labels, self.augment, draw)
        if self.class_weights is None:
            return images, labels
        # The weight of a mixed label is that of its parts.
        weights = labels @ self.class_weights if self.mixes else self.class_weights[labels]
        return images, labels, weights.astype(np.float32)


def feed(batches: Batches, first: int) -> Any:
    """An endless feed for `keras.Model.fit` from step `first` on: tf.data, or a generator."""
    if keras.backend.backend() == "tensorflow":
        return _tf_feed(batches, first)
    return _ahead(batches, first)


def _tf_feed(batches: Batches, first: int) -> Any:
    import tensorflow as tf

    example = batches(first)
    types = [tf.as_dtype(part.dtype) for part in example]

    def make(step: Any) -> tuple[Any, ...]:
        # stateless: the function is pure, so tf.data may run several at once even where
        # operations must be deterministic.
        parts = tf.numpy_function(batches, [step], types, stateful=False)
        return tuple(
            tf.ensure_shape(part, (None, *known.shape[1:]))
            for part, known in zip(parts, example, strict=True)
        )

    steps = tf.data.Dataset.counter(first)
    return steps.map(make, num_parallel_calls=2, deterministic=True).prefetch(AHEAD)


def evaluation_feed(split: Split) -> Any:
    """A split once, in order, again and again: made once for many evaluations."""
    batches = EvaluationBatches(split)
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    example = batches[0]
    types = [tf.as_dtype(part.dtype) for part in example]

    def make(index: Any) -> tuple[Any, ...]:
        parts = tf.numpy_function(batches.__getitem__, [index], types, stateful=False)
        return tuple(
            tf.ensure_shape(part, (None, *known.shape[1:]))
            for part, known in zip(parts, example, strict=True)
        )

    return tf.data.Dataset.range(batches.num_batches).map(make).prefetch(1)


def _ahead(batches: Batches, first: int) -> Iterator[Batch]:
    with ThreadPoolExecutor(2, "batches") as pool:
        made = deque(pool.submit(batches, step) for step in range(first, first + AHEAD))
        for step in itertools.count(first + AHEAD):
            batch = made.popleft().result()
            made.append(pool.submit(batches, step))
            yield batch


class EvaluationBatches(keras.utils.PyDataset):
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
