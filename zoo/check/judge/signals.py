"""Checks of signals through a network, layer by layer: spread, dead units, saturation. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, Verdict, broken, finding, named

KEPT, BOUNDED = (0.75, 1.35), (0.5, 2.0)  # Growth a layer.
MILD, STRONG = 4.0, 10.0  # Growth over all layers that does no harm; that may.


@dataclass(frozen=True, kw_only=True)
class SignalPropagation:
    """Spread of signals at the start, on probe images.

    Attributes:
        stds: (layer, std of what its kernel gives out), in order, of layers in a row with no norm
            among them; without the head, which is small on purpose.
    """

    stds: Sequence[tuple[str, float]]


def judge_signal_propagation(numbers: SignalPropagation) -> Finding:
    """C08. Without a norm, signals neither fade nor grow: q = (s_L / s_1)^(1 / (L - 1)).

    The lecture's ten layers: kernels of 0.01 with tanh 0.22, relu with Xavier 0.71, he_normal 1.0.
    What counts is what the layers do together: three that halve signals each are no harm yet.

    Source: CS231n, lecture 6, "let's look at some activation statistics".
    """
    check = "C08"
    advice = "use kernel_initializer: auto in model.defaults, or batch_norm."
    wanted = f"{KEPT[0]:g} <= growth a layer <= {KEPT[1]:g} (fails outside {BOUNDED[0]:g} to "
    wanted += f"{BOUNDED[1]:g})"
    if found := broken(check, numbers, advice):
        return found
    stds = [std for _, std in numbers.stds]
    details = {"stds": dict(numbers.stds)}
    silent = [name for name, std in numbers.stds if std <= 0]
    if silent:
        told = f"{named(silent)} give out a constant: {advice}"
        return finding(check, FAIL, 0.0, wanted, told, **details)
    if len(stds) < 3:
        told = f"{len(stds)} layers in a row without a norm: too few to fade."
        return finding(check, PASS, None, wanted, told, **details)
    whole = math.log(stds[-1] / stds[0])
    growth = math.exp(whole / (len(stds) - 1))
    if KEPT[0] <= growth <= KEPT[1]:
        told = f"signals keep their spread: {growth:.2g} a layer over {len(stds)} layers."
        return finding(check, PASS, growth, wanted, told, **details)
    if BOUNDED[0] <= growth <= BOUNDED[1] or abs(whole) <= math.log(STRONG):
        verdict = INFO if abs(whole) <= math.log(MILD) else WARN
    else:
        verdict = FAIL
    if stds[-1] < 1e-3 * stds[0]:
        verdict = FAIL
    told = f"signals {'fade' if growth < 1 else 'grow'} by {growth:.2g} a layer over {len(stds)} "
    told += f"layers without a norm: {advice}"
    return finding(check, verdict, growth, wanted, told, **details)


@dataclass(frozen=True, kw_only=True)
class LayerActivity:
    """Units of one layer with an activation that can die (relu and its like).

    Attributes:
        name: of the layer.
        dead: share of units that are 0 on all images and positions; a channel is a unit.
        zeros: share of all activations that are 0.
        depth: 1 for the first layer with an activation.
        normed: a batch norm stands right before the activation.
        units: how many.
    """

    name: str
    dead: float
    zeros: float
    depth: int
    normed: bool
    units: int = 1


@dataclass(frozen=True, kw_only=True)
class DeadUnits:
    """Units that never answer.

    Attributes:
        layers: with an activation that can die.
        images: probe images looked at.
        after_training: measured on a trained network.
    """

    layers: Sequence[LayerActivity]
    images: int
    after_training: bool = False


# Healthy he_normal networks, 256 wide, without a norm: 0 % up to layer 5, 8 % at 10, 29 % at 20.
DEPTHS = ((5, 0.1), (10, 0.2))
DEEPER = 0.4
DEAD_AT_START, DEAD_LAYER, DEAD_NETWORK = 0.5, 0.1, 0.4
USUAL_ZEROS = (0.35, 0.65)


def judge_dead_units(numbers: DeadUnits) -> Finding:
    """C09. Few units are 0 for every image.

    "Dead" is a bound: a unit silent on n images answers to less than 3 / n of all (with 95 %
    confidence). A unit right behind a batch norm cannot be dead on its own batch unless constant.

    Source: CS231n notes 1: "as much as 40 % of your network can be dead if the learning rate is
    set too high".
    """
    check = "C09"
    if found := broken(check, numbers, "lower learning_rate in train.optimizer."):
        return found
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
    judged = [(_of_layer(layer, numbers.after_training), layer) for layer in numbers.layers]
    worst = max(verdict for verdict, _ in judged)
    if numbers.after_training:
        worst = FAIL if dead >= DEAD_NETWORK else worst
        wanted = (
            f"dead <= {DEAD_LAYER:.0%} in each layer (fails at {DEAD_NETWORK:.0%} of all units)"
        )
        advice = (
            "lower learning_rate in train.optimizer to a third, or set model.defaults."
            "activation: {leaky_relu: 0.01} or batch_norm"
        )
    else:
        wanted = "dead <= 10 % in the first 5 layers, 20 % in 10, 40 % deeper; behind a batch norm "
        wanted += f"none (fails above {DEAD_AT_START:.0%})"
        advice = (
            "set model.defaults.kernel_initializer: auto and bias_initializer: zeros, batch_norm "
            "or activation: {leaky_relu: 0.01}, and centre the inputs (data.preprocess)"
        )
    if worst > PASS:
        where = named(f"{layer.name} ({layer.dead:.0%})" for verdict, layer in judged if layer.dead)
        told = f"{dead:.1%} of the units are dead, in {where}: {advice}."
        if worst is INFO:
            odd = [layer.name for verdict, layer in judged if verdict is INFO]
            told = f"an unusual share of zeros in {named(odd)}; about half is usual at the start."
        return finding(check, worst, dead, wanted, told, **details)
    told = f"{dead:.1%} of {total} units are 0 on all {numbers.images} images."
    return finding(check, PASS, dead, wanted, told, **details)


def _of_layer(layer: LayerActivity, after_training: bool) -> Verdict:
    if after_training:
        return FAIL if layer.dead >= 1 else WARN if layer.dead > DEAD_LAYER else PASS
    if layer.dead > DEAD_AT_START:
        return FAIL
    limit = next((share for depth, share in DEPTHS if layer.depth <= depth), DEEPER)
    if layer.dead > (0.0 if layer.normed else limit):
        return WARN
    return PASS if USUAL_ZEROS[0] <= layer.zeros <= USUAL_ZEROS[1] else INFO


@dataclass(frozen=True, kw_only=True)
class LayerSaturation:
    """Units of one layer with an activation that saturates.

    Attributes:
        name: of the layer.
        activation: its word.
        saturated: share of activations near an end: |tanh| > 0.97, sigmoid outside 0.03 to 0.97.
        std: of the activations.
    """

    name: str
    activation: str
    saturated: float
    std: float


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """Layers with an activation that saturates, at the start."""

    layers: Sequence[LayerSaturation]


MANY, NEARLY_ALL, SILENT = 0.5, 0.9, 1e-3


def judge_saturation(numbers: Saturation) -> Finding:
    """C10. tanh and sigmoid are neither driven to their ends nor left at their middle.

    The lecture's kernels of 1.0 * randn saturate 92 % of tanh units; those of 0.01 leave a std
    of 0.0000003 in layer 10.

    Source: CS231n, lecture 6, "almost all neurons completely saturated".
    """
    check = "C10"
    advice = "use kernel_initializer: auto (lecun_normal) in model.defaults, or batch_norm."
    wanted = f"saturated <= {MANY:.0%} (fails above {NEARLY_ALL:.0%}), std >= {SILENT:g}"
    if found := broken(check, numbers, advice):
        return found
    if not numbers.layers:
        return finding(check, PASS, None, wanted, "no activation here saturates.")
    most = max(layer.saturated for layer in numbers.layers)
    details = {
        "saturated_by_layer": {layer.name: layer.saturated for layer in numbers.layers},
        "std_by_layer": {layer.name: layer.std for layer in numbers.layers},
    }
    silent = [layer.name for layer in numbers.layers if layer.std < SILENT]
    if most <= MANY and silent:
        told = f"signals have died out in {named(silent)}: {advice}"
        return finding(check, FAIL, most, wanted, told, **details)
    if most > MANY:
        driven = [layer for layer in numbers.layers if layer.saturated > MANY]
        verdict = FAIL if most > NEARLY_ALL or silent else WARN
        told = f"{most:.0%} of {driven[0].activation} are saturated in "
        told += f"{named(layer.name for layer in driven)}: {advice}"
        return finding(check, verdict, most, wanted, told, **details)
    return finding(check, PASS, most, wanted, f"at most {most:.1%} are saturated.", **details)
