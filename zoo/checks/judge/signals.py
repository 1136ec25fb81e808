"""C08 to C10: signals through a network: their spread, dead units, saturation. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    Finding,
    Verdict,
    fail_if_not_finite,
    finding,
    join_names,
)
from zoo.checks.judge.remedies import (
    Remedy,
    lower_rate,
    use_batch_norm,
    use_initializer,
    use_leaky_relu,
)

# Growth per layer. FAIL takes, besides, a growth over all layers above TOTAL_GROWTH_FAIL.
GROWTH_PASS = (0.75, 1.35)
GROWTH_FAIL = (0.5, 2.0)
# Growth over all layers, up or down: up to the first it does no harm.
TOTAL_GROWTH_WARN = 4.0
TOTAL_GROWTH_FAIL = 10.0
VANISHED = 1e-3  # Last std over first std.


@dataclass(frozen=True, kw_only=True)
class SignalPropagation:
    """Spread of signals at the start, on probe images.

    Attributes:
        stds: (layer, std of its kernel's outputs), in order, of consecutive layers without a norm;
            the head, which is small on purpose, is left out.
    """

    stds: Sequence[tuple[str, float]]


def judge_signal_propagation(numbers: SignalPropagation) -> Finding:
    """C08. Without a norm, signals neither fade nor grow: q = (s_L / s_1)^(1 / (L - 1)).

    In the lecture's ten layers q is 0.22 for kernels of 0.01 with tanh, 0.71 for relu with Xavier
    and 1.0 for he_normal. What counts is the growth over all layers: three layers that halve the
    signal do no harm yet.

    Source: CS231n, lecture 6, "let's look at some activation statistics".
    """
    check = "C08"
    remedies = _start_remedies("auto")
    threshold = f"{GROWTH_PASS[0]:g} <= growth per layer <= {GROWTH_PASS[1]:g} "
    threshold += f"(fails outside {GROWTH_FAIL[0]:g} to {GROWTH_FAIL[1]:g})"
    if failed := fail_if_not_finite(check, numbers, remedies[0]):
        return failed
    stds = [std for _, std in numbers.stds]
    details = {"stds": dict(numbers.stds)}
    constant = [name for name, std in numbers.stds if std <= 0]
    if constant:
        advice = f"{join_names(constant)} output a constant"
        return finding(check, FAIL, 0.0, threshold, advice, remedies, **details)
    if len(stds) < 3:
        advice = f"{len(stds)} layers in a row without a norm: too few to fade."
        return finding(check, PASS, None, threshold, advice, **details)
    log_total = math.log(stds[-1] / stds[0])
    growth = math.exp(log_total / (len(stds) - 1))
    if GROWTH_PASS[0] <= growth <= GROWTH_PASS[1]:
        advice = (
            f"signals keep their spread: std times {growth:.2g} per layer in {len(stds)} layers."
        )
        return finding(check, PASS, growth, threshold, advice, **details)
    within = GROWTH_FAIL[0] <= growth <= GROWTH_FAIL[1]
    if stds[-1] < VANISHED * stds[0]:
        verdict = FAIL
    elif within or abs(log_total) <= math.log(TOTAL_GROWTH_FAIL):
        verdict = INFO if abs(log_total) <= math.log(TOTAL_GROWTH_WARN) else WARN
    else:
        verdict = FAIL
    advice = (
        f"signals {'fade' if growth < 1 else 'grow'}: each of {len(stds)} layers without a norm "
    )
    advice += f"multiplies their std by {growth:.2g}"
    return finding(check, verdict, growth, threshold, advice, remedies, **details)


def _start_remedies(initializer: str) -> list[Remedy]:
    """What keeps the scale of signals at the start."""
    return [
        use_initializer(f"use kernel_initializer: {initializer} in model.defaults", initializer),
        use_batch_norm(),
    ]


@dataclass(frozen=True, kw_only=True)
class LayerActivity:
    """Units of one layer whose activation can die (relu, relu6).

    Attributes:
        name: of the layer.
        dead: share of units that are 0 for all images and positions; a channel is one unit.
        zeros: share of all activations that are 0.
        depth: 1 for the first layer with an activation.
        normed: a normalization layer is between the kernel and the activation.
        units: number of units.
    """

    name: str
    dead: float
    zeros: float
    depth: int
    normed: bool
    units: int = 1


@dataclass(frozen=True, kw_only=True)
class DeadUnits:
    """Units that are 0 for every image.

    Attributes:
        layers: those whose activation can die.
        images: number of probe images.
        after_training: whether the network was trained.
    """

    layers: Sequence[LayerActivity]
    images: int
    after_training: bool = False


# At the start: (depth up to which it holds, share of a layer's dead units above which it is WARN).
# Healthy he_normal networks, 256 wide, without a norm: 0 % up to layer 5, 8 % at 10, 29 % at 20.
DEAD_AT_START_WARN = ((5, 0.1), (10, 0.2), (math.inf, 0.4))
DEAD_AT_START_FAIL = 0.5
# After training: share of a layer's units; share of all units, from CS231n notes, Part 1.
DEAD_IN_LAYER_WARN = 0.1
DEAD_IN_NETWORK_FAIL = 0.4
USUAL_ZEROS = (0.35, 0.65)  # Share of zeros at the start; outside it is INFO.


def judge_dead_units(numbers: DeadUnits) -> Finding:
    """C09. Few units are 0 for every image.

    "Dead" is a bound: a unit that is 0 for n images is active for less than 3 / n of all (with 95 %
    confidence). A unit right after a batch norm cannot be dead on its own batch unless constant.

    Source: CS231n notes 1: "as much as 40 % of your network can be dead if the learning rate is
    set too high".
    """
    check = "C09"
    if failed := fail_if_not_finite(check, numbers, lower_rate()):
        return failed
    if not numbers.layers:
        return finding(check, PASS, None, "few dead units", "no activation here can die.")
    total = sum(layer.units for layer in numbers.layers)
    dead = sum(layer.units * layer.dead for layer in numbers.layers) / max(total, 1)
    details = {
        "dead_share": dead,
        "dead_by_layer": {layer.name: layer.dead for layer in numbers.layers},
        "zeros_by_layer": {layer.name: layer.zeros for layer in numbers.layers},
        "answers_to_less_than": 3 / max(numbers.images, 1),
    }
    if numbers.after_training:
        verdicts = [_judge_trained_layer(layer) for layer in numbers.layers]
        verdict = FAIL if dead >= DEAD_IN_NETWORK_FAIL else max(verdicts)
        threshold = f"dead <= {DEAD_IN_LAYER_WARN:.0%} in each layer "
        threshold += f"(fails at {DEAD_IN_NETWORK_FAIL:.0%} of all units)"
        remedies = [
            lower_rate("lower learning_rate in train.optimizer to a third"),
            use_leaky_relu(),
            use_batch_norm("set model.defaults.batch_norm"),
        ]
    else:
        verdicts = [_judge_untrained_layer(layer) for layer in numbers.layers]
        verdict = max(verdicts)
        threshold = "dead <= 10 % in the first 5 layers, 20 % in 10, 40 % deeper; after a batch "
        threshold += f"norm none (fails above {DEAD_AT_START_FAIL:.0%})"
        remedies = [
            Remedy("set model.defaults.kernel_initializer: auto and bias_initializer: zeros"),
            Remedy("centre the inputs (data.preprocess)"),
            use_leaky_relu(),
            use_batch_norm("set model.defaults.batch_norm"),
        ]
    if verdict < WARN:
        remedies = []
    if verdict is PASS:
        advice = f"{dead:.1%} of {total} units are 0 on all {numbers.images} images."
    elif verdict is INFO:
        judged = zip(numbers.layers, verdicts, strict=True)
        unusual = [layer.name for layer, of_layer in judged if of_layer is INFO]
        advice = f"an unusual share of zeros in {join_names(unusual)}; about half is usual at the "
        advice += "start."
    else:
        where = join_names(
            f"{layer.name} ({layer.dead:.0%})" for layer in numbers.layers if layer.dead
        )
        advice = f"{dead:.1%} of the units are dead, in {where}"
    return finding(check, verdict, dead, threshold, advice, remedies, **details)


def _judge_trained_layer(layer: LayerActivity) -> Verdict:
    return FAIL if layer.dead >= 1 else WARN if layer.dead > DEAD_IN_LAYER_WARN else PASS


def _judge_untrained_layer(layer: LayerActivity) -> Verdict:
    if layer.dead > DEAD_AT_START_FAIL:
        return FAIL
    limit = next(share for depth, share in DEAD_AT_START_WARN if layer.depth <= depth)
    if layer.dead > (0.0 if layer.normed else limit):
        return WARN
    return PASS if USUAL_ZEROS[0] <= layer.zeros <= USUAL_ZEROS[1] else INFO


@dataclass(frozen=True, kw_only=True)
class LayerSaturation:
    """Units of one layer whose activation saturates.

    Attributes:
        name: of the layer.
        activation: its name.
        saturated: share of activations near an end: |tanh| > 0.97, sigmoid outside 0.03 to 0.97.
        std: of the activations.
    """

    name: str
    activation: str
    saturated: float
    std: float


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """Saturation at the start.

    Attributes:
        layers: those whose activation saturates.
    """

    layers: Sequence[LayerSaturation]


SATURATED_WARN = 0.5
SATURATED_FAIL = 0.9
STD_FAIL = 1e-3


def judge_saturation(numbers: Saturation) -> Finding:
    """C10. tanh and sigmoid are neither saturated nor stuck at their middle.

    The lecture's kernels of 1.0 * randn saturate 92 % of tanh units; those of 0.01 leave a std
    of 0.0000003 in layer 10.

    Source: CS231n, lecture 6, "almost all neurons completely saturated".
    """
    check = "C10"
    remedies = _start_remedies("auto (lecun_normal)")
    threshold = f"saturated <= {SATURATED_WARN:.0%} (fails above {SATURATED_FAIL:.0%}), "
    threshold += f"std >= {STD_FAIL:g}"
    if failed := fail_if_not_finite(check, numbers, remedies[0]):
        return failed
    if not numbers.layers:
        return finding(check, PASS, None, threshold, "no activation here saturates.")
    most = max(layer.saturated for layer in numbers.layers)
    details = {
        "saturated_by_layer": {layer.name: layer.saturated for layer in numbers.layers},
        "std_by_layer": {layer.name: layer.std for layer in numbers.layers},
    }
    faded = [layer.name for layer in numbers.layers if layer.std < STD_FAIL]
    if most > SATURATED_WARN:
        saturated = [layer for layer in numbers.layers if layer.saturated > SATURATED_WARN]
        verdict = FAIL if most > SATURATED_FAIL or faded else WARN
        advice = f"{most:.0%} of {saturated[0].activation} are saturated in "
        advice += join_names(layer.name for layer in saturated)
    elif faded:
        verdict, advice = FAIL, f"signals have died out in {join_names(faded)}"
    else:
        advice = f"at most {most:.1%} are saturated."
        return finding(check, PASS, most, threshold, advice, **details)
    return finding(check, verdict, most, threshold, advice, remedies, **details)
