"""Check of the filters of a trained first layer. Light."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.check.judge.finding import FAIL, INFO, PASS, Finding, broken, finding


@dataclass(frozen=True, kw_only=True)
class FilterSmoothness:
    """How smooth the first layer's filters are.

    Attributes:
        p: of `morans_i` among filters with their positions shuffled (999 draws), one-sided.
        morans_i: lag-1 spatial autocorrelation, mean over filters.
        kernel_size: height and width.
    """

    p: float
    morans_i: float
    kernel_size: tuple[int, int]


SMALLEST, CHANCE = 5, 0.01


def judge_filters(numbers: FilterSmoothness) -> Finding:
    """C20. Filters of a trained first layer are smooth; those of 3x3 are too small to tell.

    Source: CS231n notes 3, "first-layer visualizations".
    """
    check, wanted = "C20", f"p < {CHANCE:g} of Moran's I, kernels of {SMALLEST}x{SMALLEST} or more"
    if min(numbers.kernel_size) < SMALLEST:
        height, width = numbers.kernel_size
        told = f"filters of {height}x{width} are too small to tell structure from noise."
        verdict = FAIL if broken(check, numbers, "") else INFO
        return finding(check, verdict, numbers.p, wanted, told)
    if found := broken(check, numbers, "the filters are constant or not finite."):
        return found
    details = {"morans_i": numbers.morans_i}
    if numbers.p < CHANCE:
        told = f"smooth structure (Moran's I {numbers.morans_i:.2f})."
        return finding(check, PASS, numbers.p, wanted, told, **details)
    told = (
        "the first filters look like noise: not converged (train.epochs), learning_rate wrong, or "
        "weight_decay of train.optimizer too low."
    )
    return finding(check, INFO, numbers.p, wanted, told, **details)
