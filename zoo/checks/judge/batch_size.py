"""C27: a batch that grew while the learning rate stayed. Light."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.checks.judge.finding import INFO, PASS, WARN, Finding, fail_if_not_finite, finding
from zoo.checks.judge.remedies import BATCH_SIZE, LOWER, Remedy, raise_rate

GROWN_INFO, GROWN_WARN = 2.0, 4.0  # Times the batch of the recipe that it comes from.
# Optimizers whose steps are as long as their gradients: the linear rule. The others divide the
# gradient by its size: the rule of square roots.
LINEAR = ("SGD", "TorchSGD")
ROUNDING, TINY = 1e-6, 1e-30


@dataclass(frozen=True, kw_only=True)
class BatchAndRate:
    """Batch and learning rate of a recipe.

    Attributes:
        images: of an update: the batch, times the steps over which gradients are accumulated.
        learning_rate: peak learning rate.
        optimizer: its word in the recipe.
        origin: where they stand: a file, or the name of a recipe.
    """

    images: int
    learning_rate: float
    optimizer: str
    origin: str = ""


@dataclass(frozen=True, kw_only=True)
class BatchGrowth:
    """A recipe, and the one that it comes from; both have the same optimizer.

    Attributes:
        before: what it comes from.
        now: the recipe.
    """

    before: BatchAndRate
    now: BatchAndRate


def judge_batch_growth(numbers: BatchGrowth) -> Finding:
    """C27. A learning rate that suited a batch may be too low for one several times as large.

    Nothing is scaled unasked. Sources: Goyal et al. 2017, "Accurate, large minibatch SGD", section
    2.1, for the linear rule of SGD; Krizhevsky 2014, "One weird trick", and Malladi et al. 2022,
    "On the SDEs and scaling rules for adaptive gradient algorithms", for the square root.
    """
    check, before, now = "C27", numbers.before, numbers.now
    rates = {"before": before.learning_rate, "now": now.learning_rate}
    if failed := fail_if_not_finite(check, numbers, "check the options of train.optimizer."):
        return failed
    growth = now.images / max(before.images, 1)
    raised = now.learning_rate / max(before.learning_rate, TINY)
    threshold = f"the batch below {GROWN_INFO:g} times the old one, or a higher learning rate"
    details = {"images": {"before": before.images, "now": now.images}, "learning_rate": rates}
    has_grown = (
        f"an update takes {now.images:,} images, {growth:.3g} times those of {before.origin}"
    )
    if growth < GROWN_INFO or raised > 1 + ROUNDING:
        advice = f"{has_grown}, at {raised:.3g} times the learning rate."
        return finding(check, PASS, growth, threshold, advice, **details)
    linear = now.optimizer in LINEAR
    rule = "linear rule" if linear else "rule of square roots"
    rate = before.learning_rate * (growth if linear else growth**0.5)
    diagnosis = (
        f"{has_grown}, and learning_rate is still {now.learning_rate:g}: an epoch makes "
        f"{growth:.3g} times fewer steps, none of them longer; nothing is scaled unasked"
    )
    warm_up = ", with a warm-up" if linear else ""
    remedies = [
        raise_rate(
            f"try learning_rate {rate:.2g} in train.optimizer, by the {rule}{warm_up}",
            None if linear else rate,  # A warm-up is a second key.
        ),
        Remedy(f"go back to train.batch_size for {before.images:,} images", {BATCH_SIZE: LOWER}),
    ]
    verdict = WARN if growth >= GROWN_WARN else INFO
    return finding(check, verdict, growth, threshold, diagnosis, remedies, **details)
