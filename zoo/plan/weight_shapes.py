"""The shapes of the weights of a plan's layers, as Keras orders them. Light."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.plan.layer import Layer, Shape
from zoo.plan.options import (
    ConvOptions,
    DepthwiseConvOptions,
    FcOptions,
    HeadOptions,
    KernelOptions,
    NormOptions,
    PreluOptions,
    WhitenOptions,
)
from zoo.recipe.norms import BatchNorm


def weight_shapes(layers: Sequence[Layer]) -> dict[str, tuple[Shape, ...] | None]:
    """Shapes of the weights of each layer that has some.

    Args:
        layers: of a plan.

    Returns:
        Shapes by the layer's name; None for a kind of layer whose number of weights alone is known.
    """
    by_name = {layer.name: layer for layer in layers}
    shapes = {}
    for layer in layers:
        if layer.parameters:
            shapes[layer.name] = _shapes(layer, by_name[layer.inputs[0]].output_shape)
    return shapes


def _shapes(layer: Layer, before: Shape) -> tuple[Shape, ...] | None:
    """The shapes of a layer's weights, given the shape of its input."""
    options, channels = layer.options, layer.output_shape[-1]
    if isinstance(options, KernelOptions):
        kernel = _kernel(options, before)
        if kernel is None:
            return None
        return (kernel, (channels,)) if options.use_bias else (kernel,)
    if isinstance(options, NormOptions):
        running = 2 * isinstance(options.norm, BatchNorm)
        return ((channels,),) * (len(options.trained) + running)
    if isinstance(options, PreluOptions):
        return ((*[1] * (len(layer.output_shape) - 1), channels),)
    return None


def _kernel(options: KernelOptions, before: Shape) -> Shape | None:
    channels = before[-1]
    if isinstance(options, ConvOptions):
        return (*options.kernel_size, channels // options.groups, options.filters)
    if isinstance(options, DepthwiseConvOptions):
        return (*options.kernel_size, channels, options.depth_multiplier)
    if isinstance(options, WhitenOptions):
        return (*options.kernel_size, channels, options.filters)
    if isinstance(options, FcOptions | HeadOptions):
        return (channels, options.units)
    return None
