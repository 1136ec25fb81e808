"""Batch norm's statistics, taken anew over training batches with the weights as they are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.batches import Batches
from zoo.model import freezing
from zoo.training.observers import Observer


class BatchNormStatistics(Observer):
    """Before each validation, gives batch norm the statistics of the present weights.

    Running averages lag behind: at a momentum of 0.99 they have absorbed 38 % after 48 steps. Here
    they become the mean and variance over the last `count` training batches, as they were drawn.
    Source: Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3.

    Args:
        batches: training batches, by step.
        count: how many of the last ones are used.
    """

    def __init__(self, batches: Batches, count: int) -> None:
        self.batches = batches
        self.count = count
        self._traced_for: Any = None

    def on_validation_begin(self) -> None:
        """Runs the last training batches through the model."""
        step = self.counter.step
        steps = range(max(step - self.count, 0), step)
        reestimate(self.model, (self.batches(step)[0] for step in steps), self._forward)

    def on_epoch_begin(self, epoch: int) -> None:
        """Forgets the traced model if layers were unfrozen: they learn statistics again."""
        if self._traced_for is not self.model.optimizer:
            self._traced_for = self.model.optimizer
            vars(self).pop("_forward", None)

    @cached_property
    def _forward(self) -> Any:
        """The model in training mode, traced once a run, and again if layers are unfrozen."""
        return training_mode(self.model)


def training_mode(model: keras.Model) -> Any:
    """A function that runs a batch of images through the model in training mode.

    TensorFlow compiles it.
    """

    def forward(images: Any) -> Any:
        return model(images, training=True)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(forward, reduce_retracing=True, autograph=False)
    return forward


def reestimate(model: keras.Model, images: Any, forward: Any = None) -> None:
    """Sets batch norm's moving mean and variance to those over all pixels of the batches.

    Everything else in the model stays as it is, random seeds and frozen layers too.

    Args:
        model: built.
        images: batches of shape (n, height, width, channels), values 0 to 255; where there are
            none, nothing is changed.
        forward: the model in training mode, as `training_mode` makes it; None: it is made here.
    """
    layers = [
        layer
        for layer in freezing.flat_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    forward = forward or training_mode(model)
    others = [v for v in model.non_trainable_variables if not _moving(v, layers)]
    values = [backend.to_numpy(variable) for variable in others]
    means: list[list[np.ndarray]] = [[] for _ in layers]
    variances: list[list[np.ndarray]] = [[] for _ in layers]
    sizes: list[int] = []
    for batch in images if layers else ():
        for layer in layers:
            layer.moving_mean.assign(np.zeros(layer.moving_mean.shape))
            layer.moving_variance.assign(np.zeros(layer.moving_variance.shape))
        forward(batch)
        sizes.append(len(batch))
        for index, layer in enumerate(layers):
            # From 0, one step leaves the batch's own value times (1 - momentum).
            share = 1.0 - layer.momentum
            mean, variance = map(backend.to_numpy, (layer.moving_mean, layer.moving_variance))
            means[index].append(mean.astype(np.float64) / share)
            variances[index].append(variance.astype(np.float64) / share)
    for variable, value in zip(others, values, strict=True):
        variable.assign(value)
    if not sizes:
        return
    for index, layer in enumerate(layers):
        mean = np.average(means[index], axis=0, weights=sizes)
        within = np.average(variances[index], axis=0, weights=sizes)
        between = np.average((np.array(means[index]) - mean) ** 2, axis=0, weights=sizes)
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(within + between)


def _moving(variable: Any, layers: list[Any]) -> bool:
    return any(
        variable is layer.moving_mean or variable is layer.moving_variance for layer in layers
    )
