"""Builds a training batch: the images of one step, augmented, with labels and weights.

Training batches are a pure function of (seed, step), so a killed run resumes exactly and any thread
may make any step's batch at any time. Step `s` lies in pass `s // steps_per_pass` over the images.
A generator keyed by a hash of (seed, pass) draws the order of the pass, of images in shards within
windows (`zoo.datasets.window_order`); one keyed by (seed, step) draws the augmentation.
`Batches.__call__` builds a training batch from start to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any

import keras
import numpy as np

from zoo import seeds
from zoo.augment import (
    AugmentRng,
    apply_augmentations,
    draw_augmentations,
    needs_whole_batches,
    with_mean_levels,
)
from zoo.class_weights import loss_weights, loss_weights_of_mixed, mean_weight
from zoo.datasets.normalise import channel_means
from zoo.datasets.splits import Split, pixel_statistics
from zoo.labels import as_matrix, is_multi_label
from zoo.plugins import faults
from zoo.recipe import words
from zoo.recipe.fields import Choice

# (images, labels) or, with class weights, (images, labels, weights):
# - images: uint8 (batch, height, width, channels)
# - labels: int32 (batch,), or multi-label uint8 (batch, classes); float32 (batch, classes) where an
#   augmentation mixes labels
# - weights: float32 (batch,), or multi-label (batch, classes)
Batch = tuple[np.ndarray, ...]

EVALUATION_BATCH_SIZE = 256
ALL_ROWS = slice(None)


class Batches:
    """The training batches of a split, by step.

    Args:
        split: source of images and labels.
        batch_size: images per step.
        seed: seed of the run.
        augment: the recipe's augmentations, in their order.
        drop_remainder: whether a pass leaves out a last batch that is not full.
        num_classes: number of classes; needed where an augmentation mixes labels.
        class_weights: float (classes,), weight of each class; None for no weights. Of multi-label
            images it counts where the image has the class.
        steps_per_epoch: number of batches of an epoch; None for those of a pass. Where they differ,
            passes follow each other without regard to epochs.

    Attributes:
        steps_per_epoch: number of batches of an epoch.
        steps_per_pass: number of batches in which each image comes once.
        mixes_labels: whether an augmentation mixes labels.
        multi_label: whether images have any number of classes.
        error: the last error of a call, since Keras or tf.data may wrap the one that is raised.
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
        steps_per_epoch: int | None = None,
    ) -> None:
        self.split = split
        self.batch_size = batch_size
        self.seed = seed
        self.augment = with_mean_levels(augment, lambda: channel_means(pixel_statistics(split)))
        self.mixes_labels = any(step.word in words.MIXING for step in self.augment)
        self.multi_label = is_multi_label(split.labels)
        self.num_classes = num_classes
        self.class_weights = class_weights
        full, remainder = divmod(len(split), batch_size)
        self.steps_per_pass = full if drop_remainder and full else full + bool(remainder)
        self.steps_per_epoch = steps_per_epoch or self.steps_per_pass
        self.error: Exception | None = None
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def __call__(self, step: int, rows: slice = ALL_ROWS) -> Batch:
        """Makes the batch of a step, or some rows of it.

        Args:
            step: global step, from 0.
            rows: those that are made; their images alone are read, unless an augmentation mixes
                the images of a batch, or is the user's own.

        Returns:
            (images, labels), or (images, labels, weights) with class weights; see `Batch`.

        Raises:
            DataError: an image can no longer be decoded.
        """
        try:
            step = int(step)
            indices = self.indices(step)
            if rows == ALL_ROWS:
                return self._made(step, indices, ALL_ROWS)
            if needs_whole_batches(self.augment):
                return tuple(array[rows] for array in self._made(step, indices, ALL_ROWS))
            return self._made(step, indices, rows)
        except (Exception, SystemExit) as error:  # Code of the user's own may end the process.
            own = faults.fault_of(error)
            if own is not None and own is not error:
                self.error = own
                raise own from error
            self.error = error if isinstance(error, Exception) else None
            raise

    def _made(self, step: int, indices: np.ndarray, rows: slice) -> Batch:
        """The rows of a batch, given the indices of all its images."""
        images, labels = self.split.images(indices[rows]), self.split.labels[indices[rows]]
        if self.mixes_labels:
            labels = as_matrix(labels, self.num_classes).astype(np.float32)
        if self.augment:
            rng = self._augment_rng(step, indices)
            images, labels = apply_augmentations(images, labels, self.augment, rng, rows)
        if self.class_weights is None:
            return images, labels
        if self.mixes_labels:
            mixed = loss_weights_of_mixed(self.class_weights, labels, self.multi_label)
            return images, labels, mixed
        return images, labels, loss_weights(self.class_weights, labels)

    def relative_weight(self, step: int) -> float:
        """Mean class weight of a step's images over that of all images; 1 without class weights.

        A weighted loss of the step divided by it compares with that of another step. It is 1, too,
        if no image of the step has any weight.
        """
        weights = self.class_weights
        if weights is None:
            return 1.0
        batch = mean_weight(weights, self.split.labels[self.indices(step)])
        return batch / self._mean_weight if batch > 0 else 1.0

    @cached_property
    def _mean_weight(self) -> float:
        return mean_weight(self.class_weights, self.split.labels)

    def draws(self, step: int) -> dict[str, Any]:
        """Everything random about the batch of a step, for a device that makes the batch itself.

        Args:
            step: global step, from 0.

        Returns:
            `indices`, int32 (batch,), and `augment`: for each augmentation its draws, as
            `zoo.augment.draw_augmentations` returns them.
        """
        indices = self.indices(step)
        height, width, channels = self._image_shape
        shape = (len(indices), height, width, channels)
        rng = self._augment_rng(step, indices)
        drawn = draw_augmentations(self.augment, rng, shape) if self.augment else []
        return {"indices": indices.astype(np.int32), "augment": drawn}

    @cached_property
    def _image_shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""
        return self.split.images(np.arange(1)).shape[1:]

    def indices(self, step: int) -> np.ndarray:
        """Indices in the split of the images of a step, int (batch,)."""
        number, position = divmod(step, self.steps_per_pass)
        return self._order(number)[position * self.batch_size : (position + 1) * self.batch_size]

    def _draw_order(self, number: int) -> np.ndarray:
        generator, order = self._generator("order", number), self.split.order
        return generator.permutation(len(self.split)) if order is None else order.draw(generator)

    def _augment_rng(self, step: int, indices: np.ndarray) -> AugmentRng:
        number = step // self.steps_per_pass
        return AugmentRng(self._generator("augment", step), self.seed, number, indices)

    def _generator(self, *names: str | int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=seeds.derive(self.seed, *names, bits=128)))

    def size(self, step: int) -> int:
        """Number of images in the batch of a step."""
        position = step % self.steps_per_pass
        return min(self.batch_size, len(self.split) - position * self.batch_size)

    @property
    def images_per_step(self) -> float:
        """Mean number of images per step over a pass, its last batch included."""
        steps = range(self.steps_per_pass)
        return sum(map(self.size, steps)) / len(steps)


class EvaluationBatches(keras.utils.PyDataset):
    """All images of a split once, in order and without augmentation.

    For evaluation and prediction.

    Args:
        split: source of images and labels.
        batch_size: images per batch; the last one may hold fewer.
        view: changes the images of each batch, as test-time augmentation does; None for none.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int = EVALUATION_BATCH_SIZE,
        view: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        super().__init__(workers=1)
        self.split = split
        self.batch_size = batch_size
        self.view = view

    @property
    def num_batches(self) -> int:
        """Number of batches, the last one included."""
        return -(-len(self.split) // self.batch_size)

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(self.num_batches))

    def __getitem__(self, index: int) -> Batch:
        """Returns (images, labels) of a batch."""
        first = index * self.batch_size
        indices = np.arange(first, min(first + self.batch_size, len(self.split)))
        images = self.split.images(indices)
        return self.view(images) if self.view else images, self.split.labels[indices]


class EpochBatches(keras.utils.PyDataset):
    """The batches of one epoch of a training: drawn and augmented as the training sees them.

    Args:
        batches: of the training.
        epoch: which one, from 0.
    """

    def __init__(self, batches: Batches, epoch: int = 0) -> None:
        super().__init__(workers=1)
        self.batches = batches
        self.epoch = epoch

    @property
    def num_batches(self) -> int:
        """Number of batches of the epoch."""
        return self.batches.steps_per_epoch

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(self.num_batches))

    def __getitem__(self, index: int) -> Batch:
        """Returns (images, labels) or (images, labels, weights) of a batch; see `Batch`."""
        return self.batches(self.epoch * self.num_batches + index)
