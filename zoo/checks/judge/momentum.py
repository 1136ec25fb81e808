"""C26: how long momentum remembers, and which learning rate it makes. Light."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.checks.judge.finding import INFO, PASS, WARN, Finding, fail_if_not_finite, finding
from zoo.checks.judge.remedies import EPOCHS, RAISE, Remedy, lower_momentum, lower_rate

# Updates that a momentum of 0.99 remembers. Up to there nothing is said: with 0.9, the usual value,
# even a training of fifty updates is long.
MEMORY_INFO = 100.0
# Share of the training. An error of the weights decays as momentum^(t / 2), so by a factor e in
# 2 / (1 - momentum) updates: over a training of ten memories by e^5.
MEMORY_WARN_SHARE = 0.1
ROUNDING = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class Momentum:
    """The momentum of an optimizer, and the training that is planned.

    Attributes:
        optimizer: its word in the recipe.
        option: name of the momentum among its options: `momentum`, or `beta_1` of Adam.
        value: share of the last update, or of the mean gradient, that is kept: from 0 to below 1.
        learning_rate: peak learning rate.
        sums: whether momentum adds gradients up, so that a step grows to 1 / (1 - value) times that
            of one gradient; else it averages them.
        updates: updates that the training makes.
    """

    optimizer: str
    option: str
    value: float
    learning_rate: float
    sums: bool
    updates: int


def memory(value: float) -> float:
    """Number of updates that a momentum remembers, 1 / (1 - value); at most 1e9."""
    return 1 / max(1 - value, 1e-9)


def growth(value: float, updates: int, seen: int) -> float:
    """How many times as large momentum makes steps in a training as in its first steps.

    A constant gradient makes a step of (1 - m^t) / (1 - m) times its size at update t.

    Args:
        value: the momentum m.
        updates: of the whole training.
        seen: the first updates, which were looked at.
    """
    kept = min(max(value, 0.0), 1 - 1e-9)
    whole, part = (1 - kept ** max(count, 1) for count in (updates, seen))
    return max(whole / part, 1.0)


def judge_momentum(numbers: Momentum) -> Finding:
    """C26. Momentum forgets within a tenth of the training.

    The gradients of 1 / (1 - momentum) updates make a step. If these are a good part of the
    training, the first gradients steer it to its end. C14 judges the learning rate that momentum
    makes.

    Source: Polyak 1964; Goh 2017, "Why momentum really works", for the decay of sqrt(momentum).
    """
    check = "C26"
    if failed := fail_if_not_finite(check, numbers, "check the options of train.optimizer."):
        return failed
    remembered = memory(numbers.value)
    limit = max(MEMORY_INFO, MEMORY_WARN_SHARE * numbers.updates)
    threshold = f"a memory of at most {limit:,.0f} updates"
    effective = numbers.learning_rate * remembered
    name = f"{numbers.option} {numbers.value:g} of {numbers.optimizer}"
    makes = (
        f"; in the long run it makes learning_rate {numbers.learning_rate:g} act like {effective:g}"
        if numbers.sums and numbers.value
        else ""
    )
    details = {"updates": numbers.updates, **({"effective_rate": effective} if makes else {})}
    advice = (
        f"{name} remembers {remembered:,.0f} updates, of {numbers.updates:,} that the training "
        f"makes{makes}"
    )
    if remembered <= MEMORY_INFO * ROUNDING:
        return finding(check, PASS, remembered, threshold, f"{advice}.", **details)
    remedies = [lower_momentum(f"lower {numbers.option}, to 0.9 at first", numbers.option)]
    if remembered <= limit:
        return finding(check, INFO, remembered, threshold, advice, remedies, **details)
    advice += ": the first gradients steer the last steps"
    remedies.append(Remedy("raise train.epochs", {EPOCHS: RAISE}))
    return finding(check, WARN, remembered, threshold, advice, remedies, **details)


def in_the_long_run(
    learning_rate: float, value: float, steps: int, grown: float, judged: Finding
) -> Finding:
    """C14 for a rate that is sound in the first steps, and too high once momentum has built up.

    Args:
        learning_rate: of the recipe.
        value: its momentum.
        steps: that the scan looked at.
        grown: `growth` over the training.
        judged: the finding on `learning_rate * grown`.
    """
    effective = learning_rate * memory(value)
    advice = (
        f"momentum {value:g} makes learning_rate {learning_rate:g} in train.optimizer act like "
        f"{effective:.3g} in the long run, which is too high: {grown:.2g} times what the {steps} "
        "steps of a scan show"
    )
    remedies = [
        lower_momentum("lower momentum, to 0.9 at first", "momentum"),
        lower_rate(
            f"lower learning_rate, to {learning_rate / grown:.2g} at first", learning_rate / grown
        ),
    ]
    threshold = f"{judged.threshold}, over {grown:.2g} for the momentum"
    return finding("C14", WARN, learning_rate, threshold, advice, remedies, **judged.details)
