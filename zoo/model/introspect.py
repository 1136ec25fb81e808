"""Looks into a model: the outputs of its layers for a batch, with all state restored afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.backend import devices
from zoo.checks.judge.signals import LayerActivity
from zoo.plan import Layer
from zoo.plan.options import ActivationOptions

# Activations whose units can die: they give 0 for every input below 0.
CAN_DIE = ("relu", "relu6")
DROPOUTS = (keras.layers.Dropout, keras.layers.SpatialDropout2D, keras.layers.AlphaDropout)


@contextmanager
def untouched(model: keras.Model, others: Sequence[Any] = ()) -> Iterator[None]:
    """Restores every variable of a model at the end: weights, running statistics, seeds.

    It does so after an error, too: JAX takes the values out of variables while a model runs.

    Args:
        model: built.
        others: further variables, such as those of metrics.
    """
    before = [(variable, backend.to_numpy(variable)) for variable in (*model.variables, *others)]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(devices.replicate(value))


@contextmanager
def without_dropout(model: keras.Model) -> Iterator[None]:
    """Switches dropout off for functions that are traced inside."""
    layers = [layer for layer in model.layers if isinstance(layer, DROPOUTS)]
    rates = [layer.rate for layer in layers]
    try:
        for layer in layers:
            layer.rate = 0.0
        yield
    finally:
        for layer, rate in zip(layers, rates, strict=True):
            layer.rate = rate


def outputs(model: keras.Model, names: list[str], images: Any) -> list[np.ndarray]:
    """The outputs of layers for a batch, with batch norm in training mode and dropout off.

    Batch norm uses the statistics of the batch, since running ones mean nothing before training.

    Args:
        model: left as it was.
        names: names of its layers.
        images: (batch, height, width, channels), values 0 to 255.

    Returns:
        An array (batch, ...) for each name.
    """
    if not names:
        return []
    part = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    with untouched(model), without_dropout(model):
        values = part(images, training=True)
    values = values if isinstance(values, list | tuple) else [values]
    return [backend.to_numpy(value) for value in values]


@dataclass(frozen=True)
class Relu:
    """An activation layer whose units can die.

    Attributes:
        name: of the layer.
        depth: number of kernels before it.
        normed: whether a norm stands between the last of them and this layer.
        units: number of its units or channels.
    """

    name: str
    depth: int
    normed: bool
    units: int

    def activity(self, values: np.ndarray) -> LayerActivity:
        """The activity of its units, from outputs (n, ..., units)."""
        axes = tuple(range(values.ndim - 1))
        return self.from_maxima(values.max(axis=axes), float(np.mean(values == 0)))

    def from_maxima(self, largest: np.ndarray, zeros: float) -> LayerActivity:
        """The activity of its units.

        Args:
            largest: largest output of each unit, (units,).
            zeros: share of outputs that are 0.
        """
        return LayerActivity(
            name=self.name,
            dead=float(np.mean(largest <= 0)),
            zeros=zeros,
            depth=self.depth,
            normed=self.normed,
            units=self.units,
        )


def relus(layers: Sequence[Layer]) -> list[Relu]:
    """The activations of a plan whose units can die; not those of frozen layers, which stay."""
    activations = []
    frozen: dict[str, bool] = {}  # Whether all that decides on a layer's outputs is frozen.
    # Of each layer: the kernels before it, and whether a norm follows the last of them.
    depths: dict[str, int] = {}
    normed: dict[str, bool] = {}
    for layer in layers:
        options, name = layer.options, layer.name
        depths[name] = max((depths[before] for before in layer.inputs), default=0)
        normed[name] = bool(layer.inputs) and all(normed[before] for before in layer.inputs)
        before_is_frozen = bool(layer.inputs) and all(frozen[before] for before in layer.inputs)
        frozen[name] = layer.frozen if layer.parameters else before_is_frozen
        if layer.is_hidden:
            depths[name], normed[name] = depths[name] + 1, False
        elif layer.is_norm:
            normed[name] = True
        elif frozen[name]:
            continue
        elif isinstance(options, ActivationOptions) and options.activation.word in CAN_DIE:
            units = layer.output_shape[-1]
            activations.append(Relu(name, depths[name], normed[name], units))
    return activations
