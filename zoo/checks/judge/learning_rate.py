"""C14: the recipe's learning rate against a scan of rates. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zoo.checks.judge.finding import FAIL, INFO, PASS, WARN, Finding, Verdict, finding
from zoo.checks.judge.momentum import in_the_long_run
from zoo.checks.judge.rate_advice import (
    advise,
    not_built_up,
    raises_rate,
    without_suggestion,
)
from zoo.checks.judge.rate_scan import LearningRateScan
from zoo.checks.judge.rates import (
    ANNEALED_DIVISOR,
    CONSTANT_DIVISOR,
    NEIGHBOUR_FACTOR,
    ROUNDING,
    RateClass,
    classify_rates,
    exploded,
    near_best_rates,
    reference_rate,
)

SCAN_FACTOR = 10**0.5  # Rates of a scan are half a decade apart.

# The recipe's rate over the reference rate. Under a constant schedule the reference is at most a
# tenth of the largest rate that works, so 10 is that rate.
HIGH_FAIL = 30.0
HIGH_WARN = 10.0
HIGH_INFO = 3.0
LOW_INFO = 1 / 30
LOW_WARN = 0.01


def judge_learning_rate(numbers: LearningRateScan) -> Finding:
    """C14. The recipe's peak rate against the largest with which the loss goes down.

    The rate is compared with `reference_rate`, a third (annealed) or a tenth (constant schedule) of
    the largest rate that works, or less where lower rates teach more.

    - WARN from 10 times the reference or from the first rate tried that was too high, and below a
      100th. FAIL from 30 times a third or a tenth of what works.
    - Nothing is said beyond a scan in which no rate was too high.
    - A shortened scan calls a rate too high only if one close to it exploded, and WARNs from there;
      other rates above what works are INFO: networks start slowly at high rates.
    - A warm-up reaches peaks that do not work from the first step: if it is ten times as long as
      the scan's, the peak may be three times higher.
    - If time ran out: INFO, or WARN if a rate close to the recipe's exploded.
    - If no rate works: FAIL; WARN if accuracy is above chance, as in a network that starts slowly;
      INFO after a shortened scan; if a rate close to the recipe's exploded, as above.
    - Momentum that a scan is too short to build up makes larger steps later. WARN if the rate is
      sound in the scan, but not `LearningRateScan.growth` times as high.

    Source: CS231n, lecture 6, "find learning rate that makes the loss go down"; Smith 2017.
    """
    judged, grown = _judge_scan(numbers), numbers.growth
    if grown == 1.0 or not math.isfinite(numbers.rate):
        return judged
    later = _judge_scan(replace(numbers, rate=numbers.rate * grown))
    if later.verdict > max(judged.verdict, INFO):
        return in_the_long_run(numbers.rate, numbers.momentum, numbers.steps, grown, later)
    if judged.verdict > later.verdict and raises_rate(judged):
        return not_built_up(numbers.rate, numbers.momentum, numbers.steps, judged)
    return judged


def _judge_scan(numbers: LearningRateScan) -> Finding:
    """Judge the rate by the scan alone."""
    check, threshold = "C14", "a rate with which the loss goes down"
    if not math.isfinite(numbers.rate) or not math.isfinite(numbers.chance) or not numbers.points:
        advice = "there is no rate to judge: check learning_rate in train.optimizer."
        return finding(check, FAIL, numbers.rate, threshold, advice)
    classes = classify_rates(numbers.points, numbers.chance)
    details: dict[str, object] = {
        "classes": [{"rate": rate, "class": rate_class} for rate, rate_class in classes.items()]
    }
    suggested = numbers.suggestion
    if suggested is None:
        verdict, advice, *remedies = without_suggestion(numbers, classes)
        return finding(check, verdict, numbers.rate, threshold, advice, remedies, **details)
    rate, (low, high) = suggested
    details |= {"largest_that_works": high, "suggested": rate, "search": [low, high]}
    limits = _limits(numbers, classes, high)
    threshold = f"{limits.reference * LOW_WARN:.2g} < learning_rate < "
    threshold += f"{limits.warn * limits.allowance:.2g} "
    threshold += f"(fails from {limits.fail * limits.allowance:.2g} on)"
    above = numbers.rate > limits.reference
    if above:
        verdict = _judge_high(numbers.rate / limits.allowance, limits)
        if verdict is PASS and (
            numbers.rate > HIGH_INFO * limits.reference * numbers.uncertainty * ROUNDING
        ):
            verdict = INFO
        near_best = numbers.rate <= rate
    else:
        verdict = _judge_low(numbers.rate / limits.reference)
        lowest = min(near_best_rates(numbers.points, high)[1])
        near_best = lowest <= numbers.rate * NEIGHBOUR_FACTOR
    if numbers.annealed and near_best:
        verdict = PASS  # As good as any rate tried.
    advice, remedies, remark = advise(numbers.rate, verdict, suggested, above, limits.too_high)
    return finding(check, verdict, numbers.rate, threshold, advice, remedies, remark, **details)


@dataclass(frozen=True)
class _Limits:
    """Limits of the recipe's rate.

    Attributes:
        reference: what the rate is compared with.
        warn: rate from which it is WARN, before the allowance.
        fail: rate from which it is FAIL, before the allowance.
        allowance: factor by which the recipe's rate may be higher than the scan's.
        too_high: rates above those that work that are certainly too high.
    """

    reference: float
    warn: float
    fail: float
    allowance: float
    too_high: Sequence[float]


def _limits(numbers: LearningRateScan, classes: dict[float, RateClass], high: float) -> _Limits:
    """WARN is measured by the rates that teach most, FAIL by `high`, the largest that works."""
    reference = max(reference_rate(numbers.points, high, numbers.annealed), min(classes))
    divisor = ANNEALED_DIVISOR if numbers.annealed else CONSTANT_DIVISOR
    warn, fail = reference * HIGH_WARN, high / divisor * HIGH_FAIL
    too_high = [rate for rate, kind in classes.items() if kind == "too high" and rate > high]
    if numbers.shortened:
        # Between the rates that work and those that explode, time was too short to tell.
        bursts = {point.rate for point in numbers.points if exploded(point)}
        too_high = [rate for rate in too_high if rate in bursts]
        if too_high:
            warn = min(too_high) / NEIGHBOUR_FACTOR / numbers.uncertainty
            fail = max(fail, min(too_high))
    return _Limits(reference, warn, fail, numbers.uncertainty * numbers.warmup_allowance, too_high)


def _judge_high(rate: float, limits: _Limits) -> Verdict:
    """Judge a rate above the reference."""
    rate *= ROUNDING
    if limits.too_high and rate >= max(limits.fail, min(limits.too_high) / SCAN_FACTOR):
        return FAIL
    if limits.too_high and rate >= min(*limits.too_high, limits.warn):
        return WARN
    return PASS


def _judge_low(multiple: float) -> Verdict:
    """Judge a rate below the reference, as a multiple of it."""
    if multiple <= LOW_WARN * ROUNDING:
        return WARN
    return PASS if multiple >= LOW_INFO else INFO
