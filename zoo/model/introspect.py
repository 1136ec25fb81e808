"""Looking into a model without leaving a trace: what a batch does inside, all state put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.check.judge.signals import LayerActivity
from zoo.plan import Layer
from zoo.plan.options import ActivationOptions

# Activations that give 0 for whatever is below it.
DYING = ("relu", "relu6")
DROPOUTS = (keras.layers.Dropout, keras.layers.SpatialDropout2D, keras.layers.AlphaDropout)


@contextmanager
def untouched(model: keras.Model, more: Sequence[Any] = ()) -> Iterator[None]:
    """Puts every variable of the model back at the end: weights, running statistics, seeds.

    After an error too: JAX takes the values out of variables while a model is evaluated.

    Args:
        model: built.
        more: further variables, as of metrics.
    """
    before = [(variable, backend.to_numpy(variable)) for variable in (*model.variables, *more)]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


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
    """What layers give for a batch, batch norm in training mode and dropout off.

    At the start the running statistics say nothing yet: only the batch's own tell how signals
    travel.

    Args:
        model: it is left as it was.
        names: of its layers.
        images: (batch, height, width, channels), values 0 to 255.
    """
    if not names:
        return []
    part = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    with untouched(model), without_dropout(model):
        found = part(images, training=True)
    found = found if isinstance(found, list | tuple) else [found]
    return [backend.to_numpy(value) for value in found]


@dataclass(frozen=True)
class Relu:
    """An activation whose units can die: how deep it is, and whether a norm stands before it."""

    name: str
    depth: int
    normed: bool
    units: int

    def judged(self, values: np.ndarray) -> LayerActivity:
        """What its outputs (n, ..., units) say, for the check of dead units."""
        axes = tuple(range(values.ndim - 1))
        return self.counted(values.max(axis=axes), float(np.mean(values == 0)))

    def counted(self, largest: np.ndarray, zeros: float) -> LayerActivity:
        """The same of each unit's largest output (units,), and the share of outputs that are 0."""
        return LayerActivity(
            name=self.name,
            dead=float(np.mean(largest <= 0)),
            zeros=zeros,
            depth=self.depth,
            normed=self.normed,
            units=self.units,
        )


def relus(layers: Sequence[Layer]) -> list[Relu]:
    """The activations of a plan whose units can die."""
    activations = []
    depth, normed = 0, False
    for layer in layers:
        options = layer.options
        if layer.is_hidden:
            depth, normed = depth + 1, False
        elif layer.is_norm:
            normed = True
        elif isinstance(options, ActivationOptions) and options.activation.word in DYING:
            activations.append(Relu(layer.name, depth, normed, layer.output_shape[-1]))
    return activations
