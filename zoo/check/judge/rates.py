"""What a scan of learning rates tells: which of them work, and which to suggest. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class RatePoint:
    """A short training (50 to 100 steps) at one constant rate from the start.

    Attributes:
        rate: learning rate.
        seed: of its batches.
        first_loss: of the untrained network, mean over the batches of the last steps (10).
        end_loss: mean of the losses of the same batches, while training.
        se: standard error of the difference, batch by batch.
        smoothed_max: largest smoothed loss.
        finite: no loss was nan or infinite; the other numbers may be anything where one was.
        accuracy: at the end, on the images of the last losses.
    """

    rate: float
    seed: int
    first_loss: float
    end_loss: float
    se: float
    smoothed_max: float
    finite: bool = True
    accuracy: float = 0.0


Class = Literal["too low", "works", "too high"]
Proposal = tuple[float, tuple[float, float]]  # A rate, and the lowest and highest to search.
EXPLODED = 3.0  # Times the first loss, as in the lecture.
LEAST_DROP = 0.01  # Of the first loss.
SURE, LIKELY = 3.0, 2.0  # Standard errors.
# The rate to take below the largest that works; how wide to search.
ANNEALED, CONSTANT, RANGE = 3.0, 10.0, 300.0
ASIDE = 1.8  # A rate stands for those around it, half a decade apart.
NEARLY = 0.85  # Of the best rate's fall of the loss.
HAIR = 1 + 1e-9  # 30 times 0.1 / 3 is not 1.0 in floats.


def exploded(point: RatePoint) -> bool:
    """Whether a loss was not finite, or the smoothed one above 3 times the first."""
    losses = (point.first_loss, point.end_loss, point.se, point.smoothed_max)
    if not point.finite or not all(map(math.isfinite, losses)):
        return True
    return point.smoothed_max > EXPLODED * point.first_loss


def classified(point: RatePoint) -> Class:
    """Too high: not finite, above 3 times the first loss, or ends above it; too low: hardly moves.

    A change counts from max(1 %, 3 standard errors) on, both ways: at a tiny rate the last losses
    are the first one and noise.
    """
    if exploded(point):
        return "too high"
    least = max(LEAST_DROP * point.first_loss, SURE * point.se)
    if point.end_loss > point.first_loss + least:
        return "too high"
    return "works" if point.first_loss - point.end_loss >= least else "too low"


def classes(points: Sequence[RatePoint], chance: float = 0.0) -> dict[float, Class]:
    """Of each rate, over its seeds, in order of rates.

    A rate works where it does for all seeds, and is too high where it is for any. A loss that falls
    while answers stay guesses, when smaller rates do better, is a network that died: too high. One
    that falls nearly as far as any that works, by 2 standard errors with all seeds, works too.
    """
    by_rate: dict[float, list[RatePoint]] = {}
    for point in points:
        by_rate.setdefault(point.rate, []).append(point)
    found: dict[float, Class] = {}
    learned = False
    for rate in sorted(by_rate):
        kinds = {classified(point) for point in by_rate[rate]}
        kind: Class = "too low"
        if "too high" in kinds:
            kind = "too high"
        elif kinds == {"works"}:
            accuracy = _accuracy(by_rate[rate])
            kind = "works" if accuracy > chance or not learned else "too high"
            learned = learned or accuracy > chance > 0
        found[rate] = kind
    falls = [_fall(by_rate[rate]) for rate, kind in found.items() if kind == "works"]
    for rate, kind in found.items():
        own = by_rate[rate]
        if kind == "too low" and falls and _fall(own) >= NEARLY * max(falls):
            likely = all(_fall([point]) >= LIKELY * point.se for point in own)
            found[rate] = "works" if likely and _accuracy(own) > chance else kind
    return found


def _accuracy(points: Sequence[RatePoint]) -> float:
    return fmean(point.accuracy for point in points)


def _fall(points: Sequence[RatePoint]) -> float:
    return fmean(point.first_loss - point.end_loss for point in points)


def next_rate(
    points: Sequence[RatePoint], rates: Sequence[float], rate: float, annealed: bool, chance: float
) -> float | None:
    """Which of the rates to train next where each is dear; None: the others would change nothing.

    First the one nearest the recipe's own `rate`, then higher ones up to the first that is too
    high, then lower ones until what is suggested and those that teach most have been passed.
    """
    found = classes(points, chance)
    if not found:
        return outward(rates, rate)[0]
    highest, lowest = max(found), min(found)
    higher = [one for one in rates if one > highest]
    if higher and found[highest] != "too high":
        return min(higher)
    lower = [one for one in rates if one < lowest]
    return max(lower) if lower and not _passed(points, found, annealed, chance) else None


def outward(rates: Sequence[float], rate: float) -> list[float]:
    """The rates from the one nearest the recipe's own on."""
    return sorted(rates, key=lambda one: (abs(math.log(one / rate)), one))


def _passed(
    points: Sequence[RatePoint], found: dict[float, Class], annealed: bool, chance: float
) -> bool:
    """Whether rates below those tried would change nothing."""
    lowest = min(found)
    run = list(takewhile(lambda one: one[1] != "too high", sorted(found.items())))
    working = [at for at, kind in run if kind == "works"]
    if not any(point.accuracy > chance and point.rate in working for point in points):
        return False
    top = working[-1]
    return lowest < min(good_rates(points, top)[1]) and lowest <= _suggested(points, top, annealed)


def largest_working(found: dict[float, Class]) -> float | None:
    """The top of the longest run of rates that work with none too high among them."""
    runs: list[list[float]] = [[]]
    for rate, kind in sorted(found.items()):
        if kind == "too high":
            runs.append([])
        elif kind == "works":
            runs[-1].append(rate)
    best = max(runs, key=len)
    return best[-1] if best else None


def suggestion(points: Sequence[RatePoint], annealed: bool, chance: float = 0.0) -> Proposal | None:
    """A peak rate, inside what was scanned, and a range to search; None where nothing works.

    Where the rate falls later, a third of the largest that works for all seeds, but no more than
    the largest with which the loss falls nearly as far as with any: after a warm-up, rates are
    survived that teach little. Where it stays, `centre_of`. Search from a 300th of the largest up,
    or from a tenth of that suggested.
    """
    top = largest_working(classes(points, chance))
    if top is None:
        return None
    rate = max(_suggested(points, top, annealed), min(point.rate for point in points))
    return rate, (min(top / RANGE, rate / 10), top)


def _suggested(points: Sequence[RatePoint], top: float, annealed: bool) -> float:
    _, good = good_rates(points, top)
    return min(top / ANNEALED, max(good)) if annealed else centre_of(points, top, annealed)


def centre_of(points: Sequence[RatePoint], top: float, annealed: bool) -> float:
    """What a peak is judged by: a third of the largest rate that works (a tenth where it stays).

    But no more than the middle, in decades, between the rate with which the loss falls farthest and
    the largest with which it falls nearly as far.
    """
    best, good = good_rates(points, top)
    return min(top / (ANNEALED if annealed else CONSTANT), math.sqrt(best * max(good)))


def good_rates(points: Sequence[RatePoint], top: float) -> tuple[float, list[float]]:
    """The rate up to `top` with which the loss falls farthest, and those that do nearly as well."""
    falls: dict[float, list[RatePoint]] = {}
    for point in points:
        if point.rate <= top and point.finite and math.isfinite(point.end_loss):
            falls.setdefault(point.rate, []).append(point)
    mean = {rate: _fall(found) for rate, found in falls.items()}
    best = max(mean, key=lambda rate: (mean[rate], rate))
    return best, [rate for rate, fall in mean.items() if fall >= NEARLY * mean[best]]
