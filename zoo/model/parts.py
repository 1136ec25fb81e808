"""The Keras layers that a layer of a plan became: one, but for a backbone, which has many."""

from __future__ import annotations

from typing import Any

import keras

from zoo.plan import Layer
from zoo.plan.options import BackboneOptions

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def parts(model: keras.Model, layer: Layer) -> list[keras.Layer]:
    """The Keras layers of a layer of a plan, in Keras's order.

    Args:
        model: built from the plan.
        layer: of the plan.

    Returns:
        Those that the model has: none, if the plan is that of another network.
    """
    names = {layer.name}
    if isinstance(layer.options, BackboneOptions):
        network = layer.options.network
        names = {network.keras_name(index) for index in range(len(network.layers))}
    return [each for each in model.layers if each.name in names]


def trained_parts(model: keras.Model, layer: Layer) -> list[keras.Layer]:
    """Those of the Keras layers that are trained unless the whole is frozen.

    Args:
        model: built from the plan.
        layer: of the plan.
    """
    found, options = parts(model, layer), layer.options
    if not isinstance(options, BackboneOptions):
        return found
    network = options.network
    trained = {network.keras_name(i) for i in range(len(network.layers)) if options.trains(i)}
    return [each for each in found if each.name in trained]


def kernels(layer: keras.Layer) -> list[Any]:
    """The kernels of a Keras layer: one, none, or the two of a separable convolution."""
    found = (getattr(layer, name, None) for name in KERNELS)
    return [kernel for kernel in found if kernel is not None]
