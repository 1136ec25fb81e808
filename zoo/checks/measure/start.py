"""Measures a network at its start: its signals, its kernels, its norms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod

import keras
import numpy as np

from zoo import backend
from zoo.checks.judge.norm import BatchNormConfig, BatchNormLayer
from zoo.checks.judge.signals import DeadUnits, LayerSaturation, Saturation, SignalPropagation
from zoo.checks.judge.symmetry import Symmetry
from zoo.checks.measure.activation_summary import SATURATED_DISTANCE, ActivationSummary
from zoo.checks.measure.subject import Subject
from zoo.model import introspect
from zoo.plan import Layer
from zoo.plan.graph import cancelling_norms, rows_without_norm
from zoo.plan.options import ActivationOptions, HiddenOptions, NormOptions
from zoo.recipe.norms import BatchNorm


def signal_propagation(subject: Subject) -> SignalPropagation | None:
    """Standard deviations of kernels' outputs; None with trained weights, which no rule draws.

    Those of the longest run of layers without normalization, or of the residual sums if there are
    more of them in a network without any.
    """
    if subject.loaded:
        return None
    longest = max(rows_without_norm(subject.layers), key=len, default=[])
    stds = activations(subject)
    if not any(layer.is_norm for layer in subject.layers):
        # In residual blocks without a norm, it is the sums that grow.
        sums = [layer for layer in subject.layers if layer.kind == "add"]
        longest = max(longest, sums, key=len)
    return SignalPropagation(stds=[(layer.name, stds[layer.name].std) for layer in longest])


def dead_units(subject: Subject) -> DeadUnits:
    """Units of the untrained network whose ReLU is 0 for every probe image."""
    return summarize_dead_units(subject, activations(subject), after_training=False)


def summarize_dead_units(
    subject: Subject, summaries: dict[str, ActivationSummary], after_training: bool
) -> DeadUnits:
    """Dead units of the network that the activations were measured in.

    Args:
        subject: what is checked.
        summaries: of the network's activations, by layer.
        after_training: whether the network was trained.
    """
    rows = [relu.activity(summaries[relu.name].values) for relu in introspect.relus(subject.layers)]
    return DeadUnits(layers=rows, images=len(subject.probe[0]), after_training=after_training)


def saturation(subject: Subject) -> Saturation | None:
    """Share of saturated outputs, and standard deviation, of each tanh and sigmoid.

    None with trained weights: what is saturated then was learned.
    """
    if subject.loaded:
        return None
    summaries = activations(subject)
    return Saturation(
        layers=[
            LayerSaturation(
                name=layer.name,
                activation=name,
                saturated=summaries[layer.name].saturated,
                std=summaries[layer.name].std,
            )
            for layer in subject.layers
            if (name := activation_name(layer)) in SATURATED_DISTANCE
        ]
    )


def activation_name(layer: Layer) -> str | None:
    """Name of an activation layer's function; None for other layers, `prelu` and `maxout`."""
    options = layer.options
    return options.activation.word if isinstance(options, ActivationOptions) else None


def activations(
    subject: Subject, network: keras.Model | None = None
) -> dict[str, ActivationSummary]:
    """Summarize the outputs of kernels, activations and sums, batch norm in training mode.

    Args:
        subject: what is checked.
        network: a trained network of the subject; None: the untrained one, measured once.

    Returns:
        Summaries for the probe images, by layer.
    """
    if network is None and subject.cache.activations:
        return subject.cache.activations
    layers = [layer for layer in subject.layers if layer.has_kernel or layer.kind in ("act", "add")]
    images, _ = subject.probe
    model = network or subject.start
    outputs = introspect.outputs(model, [layer.name for layer in layers], images)
    summaries = {
        layer.name: ActivationSummary(values, activation_name(layer))
        for layer, values in zip(layers, outputs, strict=True)
    }
    if network is None:
        subject.cache.activations = summaries
    return summaries


def symmetry(subject: Subject) -> Symmetry:
    """Layers whose units are all alike, and pairs of layers with the same kernel."""
    network = subject.start
    kernels = {
        layer.name: backend.to_numpy(network.get_layer(layer.name).kernel)
        for layer in subject.layers
        if layer.is_hidden and layer.name not in subject.loaded
    }
    alike = []
    for name, kernel in kernels.items():
        units = kernel.reshape(-1, kernel.shape[-1])
        if units.shape[1] > 1 and (units == units[:, :1]).all():
            alike.append(name)
    # dirac copies its inputs: two of the same shape are equal, and should be.
    drawn = {
        layer.name: kernels[layer.name]
        for layer in subject.layers
        if layer.name in kernels
        and isinstance(layer.options, HiddenOptions)
        and layer.options.kernel_initializer.word != "dirac"
    }
    twins = [
        (first, second)
        for (first, a), (second, b) in combinations(drawn.items(), 2)
        if a.shape == b.shape and np.array_equal(a, b)
    ]
    return Symmetry(alike=alike, twins=twins)


def batch_norm(subject: Subject) -> BatchNormConfig:
    """Settings of every batch norm, and the training that is planned."""
    train = subject.recipe.train
    batches = subject.batches()
    biased = {
        layer.name
        for layer in subject.layers
        if isinstance(layer.options, HiddenOptions) and layer.options.use_bias
    }
    smallest = _smallest_variances(subject.layers, activations(subject))
    norms = cancelling_norms(subject.layers)
    redundant = {norm for kernel, norm in norms.items() if kernel in biased}
    rows = [
        BatchNormLayer(
            name=layer.name,
            momentum=options.norm.momentum,
            epsilon=options.norm.epsilon,
            variance_small=smallest[layer.inputs[0]],
            values=batches.size(0) * prod(layer.output_shape[:-1]),
            redundant_bias=layer.name in redundant,
        )
        for layer in subject.layers
        if isinstance(options := layer.options, NormOptions)
        and isinstance(options.norm, BatchNorm)
        and not layer.frozen
    ]
    last = batches.size(batches.steps_per_pass - 1)
    return BatchNormConfig(
        layers=rows,
        steps=train.epochs * batches.steps_per_epoch,
        batch_size=batches.size(0),
        last_batch=last if last < batches.size(0) else 0,
        reestimated=train.batch_norm_batches is not None,
    )


def _smallest_variances(
    layers: Sequence[Layer], summaries: dict[str, ActivationSummary]
) -> dict[str, float | None]:
    """The smallest variance among the channels of what a kernel, or a sum of branches, put out.

    Args:
        layers: of the plan.
        summaries: of the outputs of kernels and sums, by layer.

    Returns:
        By layer: its own, else that of the layers that it follows; None before the first kernel.
    """
    smallest: dict[str, float | None] = {}
    for layer in layers:
        before = [value for name in layer.inputs if (value := smallest[name]) is not None]
        if layer.is_hidden or layer.kind == "add":
            smallest[layer.name] = float(np.min(summaries[layer.name].variances))
        else:
            smallest[layer.name] = min(before, default=None)
    return smallest
