"""C20: the filters of a trained first layer. Light."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.checks.judge.finding import FAIL, INFO, PASS, Finding, fail_if_not_finite, finding
from zoo.checks.judge.remedies import EPOCHS, RAISE, REGULARISATION, Remedy

MIN_KERNEL_SIZE = 5  # Nine positions are too few to tell structure from noise.
P_VALUE_INFO = 0.01


@dataclass(frozen=True, kw_only=True)
class FilterSmoothness:
    """Smoothness of the first layer's filters.

    Attributes:
        p: one-sided p value of `morans_i` among filters with shuffled positions (999 draws).
        morans_i: lag-1 spatial autocorrelation (Moran 1950), mean over filters.
        kernel_size: height and width.
    """

    p: float
    morans_i: float
    kernel_size: tuple[int, int]


def judge_filters(numbers: FilterSmoothness) -> Finding:
    """C20. The filters of a trained first layer are smooth.

    Kernels smaller than 5x5 have too few values to tell.

    Source: CS231n notes, Neural Networks Part 3, "first-layer visualizations".
    """
    check, size = "C20", f"{MIN_KERNEL_SIZE}x{MIN_KERNEL_SIZE}"
    threshold = f"p < {P_VALUE_INFO:g} of Moran's I, kernels of {size} or more"
    if min(numbers.kernel_size) < MIN_KERNEL_SIZE:
        height, width = numbers.kernel_size
        advice = f"filters of {height}x{width} are too small to tell structure from noise."
        verdict = FAIL if fail_if_not_finite(check, numbers, "") else INFO
        return finding(check, verdict, numbers.p, threshold, advice)
    if failed := fail_if_not_finite(check, numbers, "the filters are constant or not finite."):
        return failed
    details = {"morans_i": numbers.morans_i}
    if numbers.p < P_VALUE_INFO:
        advice = f"smooth structure (Moran's I {numbers.morans_i:.2f})."
        return finding(check, PASS, numbers.p, threshold, advice, **details)
    advice = (
        "the first filters look like noise, as of a training that is not over, or not regularised"
    )
    remedies = [
        Remedy("raise train.epochs", {EPOCHS: RAISE}),
        Remedy("try another learning_rate"),
        Remedy("raise weight_decay of train.optimizer", {REGULARISATION: RAISE}),
    ]
    return finding(check, INFO, numbers.p, threshold, advice, remedies, **details)
