"""Check of how batch norm is set for the steps and batches of a training. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, broken, finding, joined, named


@dataclass(frozen=True, kw_only=True)
class BatchNormLayer:
    """One batch norm.

    Attributes:
        name: of the layer.
        momentum: share of the running statistics kept a step.
        epsilon: added to the variance.
        variance_small: smallest variance over channels of what comes in, at the start; None:
            unknown.
        values: values per channel and full batch, m = B * H * W.
        redundant_bias: the kernel before it has a bias, which it takes away.
    """

    name: str
    momentum: float
    epsilon: float
    variance_small: float | None
    values: int
    redundant_bias: bool = False


@dataclass(frozen=True, kw_only=True)
class BatchNormConfig:
    """All batch norms of a network and the training they go through.

    Attributes:
        layers: one entry a batch norm.
        steps: planned in all.
        batch_size: images in a full batch.
        last_batch: images in the last, partial batch of an epoch; 0 where there is none.
        reestimated: `train.batch_norm_batches` takes the statistics anew before each validation.
    """

    layers: Sequence[BatchNormLayer]
    steps: int
    batch_size: int
    last_batch: int = 0
    reestimated: bool = False


ABSORBED = 0.95  # 1 - momentum^steps: share of the running statistics that training has made.
FEW = 32  # Values a statistic is made of.
FEW_LAST = 16  # The same of the last batch alone, one of many.
EPSILONS = 10.0


def judge_batch_norm(numbers: BatchNormConfig) -> Finding:
    """C21. Running statistics converge, batches are large enough, epsilon is small.

    After T steps the running statistics have absorbed 1 - m^T: with m = 0.99, 38 % after 48 steps
    and 95 % after 299; with 0.9 after 29. A statistic of one value gives out beta alone, whatever
    comes in.

    Source: Ioffe & Szegedy 2015; Wu & He 2018 for small batches.
    """
    check = "C21"
    if found := broken(check, numbers, "check data.preprocess and kernel_initializer."):
        return found
    if not numbers.layers:
        return finding(check, PASS, None, "batch norm fits the training", "no batch norm here.")
    parts = [_converges(numbers), *_batches(numbers), _epsilon(numbers)]
    biased = [layer.name for layer in numbers.layers if layer.redundant_bias]
    if biased:
        told = f"{named(biased)} takes the bias before it away: drop use_bias."
        parts.append(finding(check, INFO, None, "no bias before batch norm", told))
    return joined(parts)


def _converges(numbers: BatchNormConfig) -> Finding:
    slowest = max(numbers.layers, key=lambda layer: layer.momentum)
    absorbed = 1 - slowest.momentum**numbers.steps
    wanted = f"1 - momentum^steps >= {ABSORBED:g}"
    details = {"absorbed": absorbed, "steps": numbers.steps}
    if absorbed >= ABSORBED or numbers.reestimated:
        told = f"batch norm's statistics are {absorbed:.0%} made in {numbers.steps} steps"
        told += ", and taken anew before validation." if numbers.reestimated else "."
        return finding("C21", PASS, absorbed, wanted, told, **details)
    told = (
        f"after {numbers.steps} steps batch norm's statistics are {absorbed:.0%} made, which looks "
        "like a gap to validation: lower model.defaults.batch_norm.momentum, or set "
        "train.batch_norm_batches."
    )
    return finding("C21", WARN, absorbed, wanted, told, **details)


def _batches(numbers: BatchNormConfig) -> list[Finding]:
    """Of full batches, and of the last one of an epoch."""
    least = min(numbers.layers, key=lambda layer: layer.values)
    wanted = f"values a statistic >= {FEW} (fails at 1)"
    parts = []
    if least.values < FEW:
        told = (
            f"{least.name} makes its statistics of {least.values} values: raise train.batch_size, "
            "or use group_norm."
        )
        verdict = FAIL if least.values <= 1 else WARN
        parts.append(finding("C21", verdict, float(least.values), wanted, told))
    if numbers.last_batch:
        positions = max(least.values // max(numbers.batch_size, 1), 1)
        values = positions * numbers.last_batch
        if values < FEW:
            told = (
                f"the last batch of an epoch holds {numbers.last_batch} images, {values} values a "
                f"statistic in {least.name}: set train.drop_remainder: true, or another "
                "train.batch_size."
            )
            verdict = FAIL if values <= 1 else WARN if values < FEW_LAST else INFO
            parts.append(
                finding("C21", verdict, float(values), wanted, told, last_batch=numbers.last_batch)
            )
    return parts


def _epsilon(numbers: BatchNormConfig) -> Finding:
    wanted = f"variance >= {EPSILONS:g} epsilon"
    small = [
        layer
        for layer in numbers.layers
        if layer.variance_small is not None and layer.variance_small < EPSILONS * layer.epsilon
    ]
    if not small:
        return finding("C21", PASS, None, wanted, "epsilon is small against the variance.")
    worst = min(small, key=lambda layer: (layer.variance_small or 0.0) / layer.epsilon)
    ratio = (worst.variance_small or 0.0) / worst.epsilon
    told = (
        f"the variance before {named(layer.name for layer in small)} is only {ratio:.2g} epsilon: "
        "lower model.defaults.batch_norm.epsilon, or use kernel_initializer: auto."
    )
    return finding("C21", WARN, ratio, wanted, told, variance_over_epsilon=ratio)
