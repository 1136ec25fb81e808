"""A scan of learning rates: which of them work, which to try next, which to suggest. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean
from typing import Literal, TypedDict

RateClass = Literal["too low", "works", "too high"]
Suggestion = tuple[float, tuple[float, float]]  # A rate; the lowest and highest rate to search.


class RoundedSuggestion(TypedDict):
    """A suggestion in reports: a rate, and the lowest and highest rate to search."""

    learning_rate: float
    search: list[float]


EXPLODED_LOSS = 3.0  # Times the first loss; CS231n, lecture 6: "> 3 * original cost".
# A change of the loss counts if it is at least 1 % of the first loss and 3 standard errors. If
# other rates work, 2 standard errors suffice for a fall that is nearly as large as theirs.
MIN_CHANGE = 0.01
SURE_STANDARD_ERRORS = 3.0
LIKELY_STANDARD_ERRORS = 2.0
NEAR_BEST_FALL = 0.85  # Share of the largest fall of the loss that is "nearly as far".

# What the largest rate that works is divided by, for the rate suggested and the lowest to search.
ANNEALED_DIVISOR = 3.0
CONSTANT_DIVISOR = 10.0
SEARCH_DIVISOR = 300.0
# Rates of a scan are half a decade apart, so each stands for a quarter on both sides: 10^0.25.
NEIGHBOUR_FACTOR = 1.8
ROUNDING = 1 + 1e-9  # In floats 30 * (0.1 / 3) is not 1.0.


@dataclass(frozen=True, kw_only=True)
class RatePoint:
    """A short training (50 steps; at least 20 in a shortened scan) at one peak learning rate.

    Attributes:
        rate: learning rate.
        seed: of its weights and batches.
        first_loss: of the untrained network, mean over the batches of the last steps (10).
        end_loss: mean loss of the same batches, while training.
        se: standard error of the mean difference of the two, batch by batch.
        smoothed_max: largest smoothed loss.
        finite: no loss was NaN or infinite; if one was, the other numbers may be anything.
        accuracy: on the images of the last steps, while training.
    """

    rate: float
    seed: int
    first_loss: float
    end_loss: float
    se: float
    smoothed_max: float
    finite: bool = True
    accuracy: float = 0.0


def exploded(point: RatePoint) -> bool:
    """Return whether a loss was not finite, or the smoothed loss exceeded 3 times the first."""
    losses = (point.first_loss, point.end_loss, point.se, point.smoothed_max)
    if not point.finite or not all(map(math.isfinite, losses)):
        return True
    return point.smoothed_max > EXPLODED_LOSS * point.first_loss


def classify_point(point: RatePoint) -> RateClass:
    """Classify one training.

    Too high: the loss explodes or ends above the first. Too low: it hardly changes, as it does at a
    tiny rate, where the last losses are the first one plus noise.
    """
    if exploded(point):
        return "too high"
    least = max(MIN_CHANGE * point.first_loss, SURE_STANDARD_ERRORS * point.se)
    if point.end_loss > point.first_loss + least:
        return "too high"
    return "works" if point.first_loss - point.end_loss >= least else "too low"


def classify_rates(points: Sequence[RatePoint], chance: float = 0.0) -> dict[float, RateClass]:
    """Classify each rate by all of its seeds.

    A rate works if it works for all seeds, and is too high if it is for any. Two exceptions: if the
    loss falls while accuracy stays at chance, and smaller rates do better, the network died: too
    high. If the loss falls nearly as far as at any rate that works, by 2 standard errors for all
    seeds, and accuracy is above chance, the rate works too.

    Args:
        points: in any order.
        chance: accuracy that guessing stays below.

    Returns:
        The class of each rate, in ascending order of rates.
    """
    by_rate: dict[float, list[RatePoint]] = {}
    for point in points:
        by_rate.setdefault(point.rate, []).append(point)
    classes: dict[float, RateClass] = {}
    learned = False
    for rate in sorted(by_rate):
        of_seeds = {classify_point(point) for point in by_rate[rate]}
        rate_class: RateClass = "too low"
        if "too high" in of_seeds:
            rate_class = "too high"
        elif of_seeds == {"works"}:
            accuracy = _mean_accuracy(by_rate[rate])
            rate_class = "works" if accuracy > chance or not learned else "too high"
            learned = learned or accuracy > chance > 0
        classes[rate] = rate_class
    falls = [_mean_fall(by_rate[rate]) for rate, kind in classes.items() if kind == "works"]
    for rate, rate_class in classes.items():
        own = by_rate[rate]
        if rate_class == "too low" and falls and _mean_fall(own) >= NEAR_BEST_FALL * max(falls):
            likely = all(_mean_fall([point]) >= LIKELY_STANDARD_ERRORS * point.se for point in own)
            if likely and _mean_accuracy(own) > chance:
                classes[rate] = "works"
    return classes


def _mean_accuracy(points: Sequence[RatePoint]) -> float:
    return fmean(point.accuracy for point in points)


def _mean_fall(points: Sequence[RatePoint]) -> float:
    return fmean(point.first_loss - point.end_loss for point in points)


def next_rate(
    points: Sequence[RatePoint], rates: Sequence[float], rate: float, annealed: bool, chance: float
) -> float | None:
    """Return the rate to train next where trainings are slow, None if no other can matter.

    First the one nearest the recipe's; then upwards to the first that is too high; then downwards,
    until lower rates can change neither the suggestion nor the range of near-best rates.

    Args:
        points: trainings so far.
        rates: all candidates.
        rate: the recipe's.
        annealed: whether the recipe's rate falls later.
        chance: accuracy that guessing stays below.
    """
    classes = classify_rates(points, chance)
    if not classes:
        return sort_by_distance(rates, rate)[0]
    highest, lowest = max(classes), min(classes)
    higher = [candidate for candidate in rates if candidate > highest]
    if higher and classes[highest] != "too high":
        return min(higher)
    lower = [candidate for candidate in rates if candidate < lowest]
    return max(lower) if lower and not _low_enough(points, classes, annealed, chance) else None


def sort_by_distance(rates: Sequence[float], rate: float) -> list[float]:
    """Return the rates in order of their distance from `rate` in decades."""
    return sorted(rates, key=lambda candidate: (abs(math.log(candidate / rate)), candidate))


def _low_enough(
    points: Sequence[RatePoint], classes: dict[float, RateClass], annealed: bool, chance: float
) -> bool:
    """Whether rates below those tried would change nothing."""
    lowest = min(classes)
    below_too_high = takewhile(lambda item: item[1] != "too high", sorted(classes.items()))
    working = [rate for rate, rate_class in below_too_high if rate_class == "works"]
    if not any(point.accuracy > chance and point.rate in working for point in points):
        return False
    top = working[-1]
    return lowest < min(near_best_rates(points, top)[1]) and lowest <= _suggested_rate(
        points, top, annealed
    )


def largest_working(classes: dict[float, RateClass]) -> float | None:
    """Return the largest rate of the longest run of rates that work, or None.

    A run may hold rates that are too low, but none that is too high.
    """
    runs: list[list[float]] = [[]]
    for rate, rate_class in sorted(classes.items()):
        if rate_class == "too high":
            runs.append([])
        elif rate_class == "works":
            runs[-1].append(rate)
    longest = max(runs, key=len)
    return longest[-1] if longest else None


def suggest(points: Sequence[RatePoint], annealed: bool, chance: float = 0.0) -> Suggestion | None:
    """Suggest a peak rate within the scan, and a range to search; None if no rate works.

    If the rate falls later: a third of the largest that works, but no more than the largest with a
    near-best fall of the loss, since after a warm-up a network survives rates at which it learns
    little. If the rate stays constant: `reference_rate`. The range to search ends at the largest
    rate that works; it begins at a 300th of that, or at a tenth of the suggestion if lower.

    Args:
        points: in any order.
        annealed: whether the recipe's rate falls later.
        chance: accuracy that guessing stays below.
    """
    top = largest_working(classify_rates(points, chance))
    if top is None:
        return None
    rate = max(_suggested_rate(points, top, annealed), min(point.rate for point in points))
    return rate, (min(top / SEARCH_DIVISOR, rate / 10), top)


def _suggested_rate(points: Sequence[RatePoint], top: float, annealed: bool) -> float:
    if not annealed:
        return reference_rate(points, top, annealed)
    _, near_best = near_best_rates(points, top)
    return min(top / ANNEALED_DIVISOR, max(near_best))


def reference_rate(points: Sequence[RatePoint], top: float, annealed: bool) -> float:
    """Return the rate that a recipe's is compared with.

    A third (annealed) or a tenth (constant) of the largest rate that works, `top`, but no more than
    the geometric mean of the rate with the largest fall of the loss and the largest rate with a
    near-best one.
    """
    best, near_best = near_best_rates(points, top)
    divisor = ANNEALED_DIVISOR if annealed else CONSTANT_DIVISOR
    return min(top / divisor, math.sqrt(best * max(near_best)))


def near_best_rates(points: Sequence[RatePoint], top: float) -> tuple[float, list[float]]:
    """Return the rate up to `top` at which the loss falls most, and all that come near it."""
    by_rate: dict[float, list[RatePoint]] = {}
    for point in points:
        if point.rate <= top and point.finite and math.isfinite(point.end_loss):
            by_rate.setdefault(point.rate, []).append(point)
    falls = {rate: _mean_fall(of_rate) for rate, of_rate in by_rate.items()}
    best = max(falls, key=lambda rate: (falls[rate], rate))
    return best, [rate for rate, fall in falls.items() if fall >= NEAR_BEST_FALL * falls[best]]
