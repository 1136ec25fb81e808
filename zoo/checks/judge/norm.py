"""C21: batch norm and the steps and batches of a training. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    Finding,
    fail_if_not_finite,
    finding,
    join_names,
    merge,
)
from zoo.checks.judge.remedies import (
    AVOID,
    BATCH_NORM,
    BATCH_SIZE,
    RAISE,
    Remedy,
    use_initializer,
)

# Share of the running statistics that comes from training, 1 - momentum^steps.
CONVERGED_WARN = 0.95
# Values per statistic. The last batch of an epoch is one of many, so it may hold fewer. A statistic
# of a single value fails.
VALUES_WARN = 32
LAST_BATCH_VALUES_WARN = 16
EPSILON_MULTIPLES_WARN = 10.0  # Variance over epsilon; at 10, epsilon shrinks outputs by 5 %.


@dataclass(frozen=True, kw_only=True)
class BatchNormLayer:
    """One batch norm.

    Attributes:
        name: of the layer.
        momentum: share of the running statistics that is kept at each step.
        epsilon: added to the variance.
        variance_small: smallest variance among the channels of its input at the start; None:
            unknown.
        values: values per channel in a full batch, batch size * height * width.
        redundant_bias: the layer before it has a bias, which batch norm cancels.
    """

    name: str
    momentum: float
    epsilon: float
    variance_small: float | None
    values: int
    redundant_bias: bool = False


@dataclass(frozen=True, kw_only=True)
class BatchNormConfig:
    """All batch norms of a network, and the training that is planned.

    Attributes:
        layers: one entry per batch norm.
        steps: steps of the whole training.
        batch_size: images in a full batch.
        last_batch: images in the incomplete last batch of an epoch; 0 if there is none.
        reestimated: `train.batch_norm_batches` recomputes the statistics before each validation.
    """

    layers: Sequence[BatchNormLayer]
    steps: int
    batch_size: int
    last_batch: int = 0
    reestimated: bool = False


def judge_batch_norm(numbers: BatchNormConfig) -> Finding:
    """C21. Running statistics converge, batches are large enough, epsilon is small.

    After T steps a share of 1 - m^T of the running statistics comes from training: with m = 0.99,
    38 % after 48 steps and 95 % after 299; with 0.9, 95 % after 29. Normalised by a statistic of a
    single value, every output is beta, whatever the input.

    Source: Ioffe & Szegedy 2015; Wu & He 2018 for small batches.
    """
    check = "C21"
    if failed := fail_if_not_finite(
        check, numbers, "check data.preprocess and kernel_initializer."
    ):
        return failed
    if not numbers.layers:
        return finding(check, PASS, None, "batch norm fits the training", "no batch norm here.")
    parts = [_judge_convergence(numbers), *_judge_batches(numbers), _judge_epsilon(numbers)]
    biased = [layer.name for layer in numbers.layers if layer.redundant_bias]
    if biased:
        advice = f"batch norm cancels the bias before {join_names(biased)}: set use_bias: false."
        parts.append(finding(check, INFO, None, "no bias before batch norm", advice))
    return merge(parts)


def _judge_convergence(numbers: BatchNormConfig) -> Finding:
    slowest = max(numbers.layers, key=lambda layer: layer.momentum)
    absorbed = 1 - slowest.momentum**numbers.steps
    threshold = f"1 - momentum^steps >= {CONVERGED_WARN:g}"
    details = {"absorbed": absorbed, "steps": numbers.steps}
    if absorbed >= CONVERGED_WARN or numbers.reestimated:
        advice = f"after {numbers.steps} steps {absorbed:.0%} of batch norm's statistics come from "
        advice += "training"
        advice += ", and they are recomputed before validation." if numbers.reestimated else "."
        return finding("C21", PASS, absorbed, threshold, advice, **details)
    advice = (
        f"after {numbers.steps} steps only {absorbed:.0%} of batch norm's statistics come from "
        "training, so validation accuracy will look too low: lower "
        "model.defaults.batch_norm.momentum, or set train.batch_norm_batches."
    )
    return finding("C21", WARN, absorbed, threshold, advice, **details)


def _judge_batches(numbers: BatchNormConfig) -> list[Finding]:
    """Judge full batches and the last batch of an epoch; empty if both are large enough."""
    smallest = min(numbers.layers, key=lambda layer: layer.values)
    threshold = f"values a statistic >= {VALUES_WARN} (fails at 1)"
    parts = []
    if smallest.values < VALUES_WARN:
        advice = f"{smallest.name} computes its statistics from {smallest.values} values"
        remedies = [
            Remedy("raise train.batch_size", {BATCH_SIZE: RAISE}),
            Remedy("use group_norm", {BATCH_NORM: AVOID}),
        ]
        verdict = FAIL if smallest.values <= 1 else WARN
        parts.append(finding("C21", verdict, float(smallest.values), threshold, advice, remedies))
    if numbers.last_batch:
        positions = max(smallest.values // max(numbers.batch_size, 1), 1)
        values = positions * numbers.last_batch
        if values < VALUES_WARN:
            advice = (
                f"the last batch of an epoch holds {numbers.last_batch} images, {values} values a "
                f"statistic in {smallest.name}: set train.drop_remainder: true, or another "
                "train.batch_size."
            )
            verdict = FAIL if values <= 1 else WARN if values < LAST_BATCH_VALUES_WARN else INFO
            details = {"last_batch": numbers.last_batch}
            parts.append(finding("C21", verdict, float(values), threshold, advice, **details))
    return parts


def _judge_epsilon(numbers: BatchNormConfig) -> Finding:
    threshold = f"variance >= {EPSILON_MULTIPLES_WARN:g} epsilon"
    multiples = {
        layer.name: layer.variance_small / layer.epsilon
        for layer in numbers.layers
        if layer.variance_small is not None
        and layer.variance_small < EPSILON_MULTIPLES_WARN * layer.epsilon
    }
    if not multiples:
        return finding("C21", PASS, None, threshold, "epsilon is small against the variance.")
    worst = min(multiples.values())
    advice = f"the variance before {join_names(multiples)} is only {worst:.2g} epsilon"
    remedies = [
        Remedy("lower model.defaults.batch_norm.epsilon"),
        use_initializer("use kernel_initializer: auto"),
    ]
    return finding("C21", WARN, worst, threshold, advice, remedies, variance_over_epsilon=worst)
