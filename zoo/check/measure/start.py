"""Numbers of a network at its start: its signals, its kernels, its norms."""

from __future__ import annotations

from itertools import combinations
from math import prod

import keras
import numpy as np

from zoo.check.judge.norm import BatchNormConfig, BatchNormLayer
from zoo.check.judge.signals import DeadUnits, LayerSaturation, Saturation, SignalPropagation
from zoo.check.judge.symmetry import Symmetry
from zoo.check.measure.subject import Subject, array
from zoo.model import introspect
from zoo.plan import Layer
from zoo.plan.options import ActivationOptions, HiddenOptions, NormOptions
from zoo.recipe.norms import BatchNorm

SATURATED = {"tanh": 0.97, "hard_tanh": 0.97, "sigmoid": 0.47, "hard_sigmoid": 0.47}


def signal_propagation(subject: Subject) -> SignalPropagation:
    """Standard deviations of what kernels give, in the longest run without a norm between."""
    runs: list[list[Layer]] = [[]]
    for layer in subject.layers:
        if layer.is_norm or layer.kind == "add":
            if layer.is_norm and runs[-1]:
                runs[-1].pop()  # Its kernel is behind nothing but a norm.
            runs.append([])
        elif layer.is_hidden:
            runs[-1].append(layer)
    longest = max(runs, key=len)
    stds = activations(subject)
    if not any(layer.is_norm for layer in subject.layers):
        # Of blocks without a norm, the sums are what grows.
        sums = [layer for layer in subject.layers if layer.kind == "add"]
        longest = max(longest, sums, key=len)
    names = [layer.name for layer in longest]
    return SignalPropagation(stds=[(name, stds[name].std) for name in names])


def dead_units(subject: Subject) -> DeadUnits:
    """Channels and units whose ReLU gives nothing for any probe image."""
    return dead(subject, activations(subject), after_training=False)


def dead(subject: Subject, found: dict[str, Values], after_training: bool) -> DeadUnits:
    """The same of any network's activations."""
    rows = [relu.activity(found[relu.name].values) for relu in introspect.relus(subject.layers)]
    return DeadUnits(layers=rows, images=len(subject.probe[0]), after_training=after_training)


def saturation(subject: Subject) -> Saturation:
    """Shares of tanh and sigmoid outputs at their ends; standard deviations of all activations."""
    found = activations(subject)
    return Saturation(
        layers=[
            LayerSaturation(
                name=layer.name,
                activation=word,
                saturated=found[layer.name].saturated,
                std=found[layer.name].std,
            )
            for layer in subject.layers
            if (word := activation_word(layer)) in SATURATED
        ]
    )


def activation_word(layer: Layer) -> str | None:
    """The word of an activation layer; None for other layers, and for `prelu` and `maxout`."""
    options = layer.options
    return options.activation.word if isinstance(options, ActivationOptions) else None


class Values:
    """What a layer's outputs over the probe images come down to."""

    def __init__(self, values: np.ndarray, activation: str | None) -> None:
        axes = tuple(range(values.ndim - 1))
        self.values = values
        self.std = float(values.std(dtype=np.float64))
        self.mean = float(values.mean(dtype=np.float64))
        self.zeros = float(np.mean(values == 0))
        self.dead = float(np.mean(values.max(axis=axes) <= 0))
        self.variances = values.var(axis=axes, dtype=np.float64)
        self.histogram = np.histogram(values, bins=61)
        middle = 0.5 if activation in ("sigmoid", "hard_sigmoid") else 0.0
        bound = SATURATED.get(activation or "", np.inf)
        self.saturated = float(np.mean(np.abs(values - middle) > bound))


def activations(subject: Subject, network: keras.Model | None = None) -> dict[str, Values]:
    """What kernels and activations give for the probe images, by layer, batch norm training.

    Those of the start are kept; those of another network, such as a trained one, are not.
    """
    if network is None and subject.kept.get("activations"):
        kept: dict[str, Values] = subject.kept["activations"]
        return kept
    chosen = [layer for layer in subject.layers if layer.has_kernel or layer.kind in ("act", "add")]
    images, _ = subject.probe
    model = network or subject.start
    values = introspect.outputs(model, [layer.name for layer in chosen], images)
    found = {
        layer.name: Values(value, activation_word(layer))
        for layer, value in zip(chosen, values, strict=True)
    }
    if network is None:
        subject.kept["activations"] = found
    return found


def symmetry(subject: Subject) -> Symmetry:
    """Layers whose units are all alike, and kernels that are the same in two layers."""
    network = subject.start
    kernels = {
        layer.name: array(network.get_layer(layer.name).kernel)
        for layer in subject.layers
        if layer.is_hidden
    }
    alike = []
    for name, kernel in kernels.items():
        units = kernel.reshape(-1, kernel.shape[-1])
        if units.shape[1] > 1 and (units == units[:, :1]).all():
            alike.append(name)
    # dirac copies inputs: where it fills a kernel, equal shapes have equal kernels, and should.
    drawn = {
        layer.name: kernels[layer.name]
        for layer in subject.layers
        if isinstance(layer.options, HiddenOptions)
        and layer.options.kernel_initializer.word != "dirac"
    }
    twins = [
        (one, two)
        for (one, a), (two, b) in combinations(drawn.items(), 2)
        if a.shape == b.shape and np.array_equal(a, b)
    ]
    return Symmetry(alike=alike, twins=twins)


def batch_norm(subject: Subject) -> BatchNormConfig:
    """How batch norm's words fit the training that is planned."""
    found = activations(subject)
    train = subject.recipe.train
    batches = subject.batches()
    rows = []
    kernel, use_bias = "", False
    for layer in subject.layers:
        options = layer.options
        if isinstance(options, HiddenOptions):
            kernel, use_bias = layer.name, options.use_bias
        elif isinstance(options, NormOptions) and isinstance(options.norm, BatchNorm) and kernel:
            rows.append(
                BatchNormLayer(
                    name=layer.name,
                    momentum=options.norm.momentum,
                    epsilon=options.norm.epsilon,
                    variance_small=float(np.min(found[kernel].variances)),
                    values=batches.size(0) * prod(layer.output_shape[:-1]),
                    redundant_bias=use_bias,
                )
            )
    rest = batches.size(batches.steps_per_epoch - 1)
    return BatchNormConfig(
        layers=rows,
        steps=train.epochs * batches.steps_per_epoch,
        batch_size=batches.size(0),
        last_batch=rest if rest < batches.size(0) else 0,
        reestimated=train.batch_norm_batches is not None,
    )
