"""Batch norm's statistics, taken anew over training batches with the weights as they are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from zoo.batches import Batches
from zoo.train.observers import StepCounter


class BatchNormStatistics(keras.callbacks.Callback):
    """Before each validation, gives batch norm the statistics of the present weights.

    Running averages lag behind: at a momentum of 0.99 they have absorbed 38 % after 48 steps. Here
    they become the mean and variance over the last `count` training batches, as they were drawn.
    Source: Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3.
    """

    def __init__(self, batches: Batches, clock: StepCounter, count: int) -> None:
        super().__init__()
        self.batches = batches
        self.clock = clock
        self.count = count
        self.forward: Any = None

    def on_test_begin(self, logs: Any = None) -> None:
        last = self.clock.step
        steps = range(max(last - self.count, 0), last)
        reestimate(self.model, (self.batches(step)[0] for step in steps), self._forward())

    def _forward(self) -> Any:
        """The model in training mode, traced once a run."""
        if self.forward is None:
            self.forward = training_mode(self.model)
        return self.forward


def training_mode(model: keras.Model) -> Any:
    """A function of a batch of images that runs the model in training mode, compiled if may be."""

    def forward(images: Any) -> Any:
        return model(images, training=True)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(forward, reduce_retracing=True)
    return forward


def reestimate(model: keras.Model, images: Any, forward: Any = None) -> None:
    """Sets batch norm's moving mean and variance to those over all pixels of the batches.

    Args:
        model: all else about it stays, random seeds too.
        images: batches of (n, height, width, channels), values 0 to 255; none: nothing is done.
        forward: as `training_mode` makes it.
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    forward = forward or training_mode(model)
    others = [(v, _array(v)) for v in model.non_trainable_variables if not _moving(v, layers)]
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
            means[index].append(_array(layer.moving_mean).astype(np.float64) / share)
            variances[index].append(_array(layer.moving_variance).astype(np.float64) / share)
    for variable, value in others:
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


def _array(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))
