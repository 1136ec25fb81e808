"""Check of the learning rate: a scan of rates. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean
from typing import Literal

from zoo.checks.finding import FAIL, INFO, PASS, WARN, Finding, Verdict, finding

STEPS = 50  # Of each training, where they are fast.


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


@dataclass(frozen=True, kw_only=True)
class LearningRateScan:
    """Trainings at rates a constant factor apart, and what the recipe says.

    Attributes:
        points: one a rate and seed, in any order.
        rate: peak learning rate of the recipe.
        schedule: word of `train.schedule`.
        num_classes: C.
        chance: accuracy that guessing stays below: `fit.above_guessing` of the largest class's
            share and the images that accuracies are measured on.
        steps: of each training; fewer than `STEPS` where they are slow.
        scale: by which rates were multiplied for smaller batches than the recipe's: limits are
            known to that factor, and a rate above them has the benefit of the doubt.
        warmup: of the recipe, in times that of the scan; 0 without one.
    """

    points: Sequence[RatePoint]
    rate: float
    schedule: str
    num_classes: int
    chance: float
    steps: int = STEPS
    scale: float = 1.0
    warmup: float = 0.0

    @property
    def shortened(self) -> bool:
        """Whether losses may yet come down that ended above where they began."""
        return self.steps < STEPS or self.scale < 1


Class = Literal["too low", "works", "too high"]
Proposal = tuple[float, tuple[float, float]]  # A rate, and the lowest and highest to search.
EXPLODED = 3.0  # Times the first loss, as in the lecture.
LEAST_DROP = 0.01  # Of the first loss.
# The rate to take below the largest that works; how wide to search.
ANNEALED, CONSTANT, RANGE = 3.0, 10.0, 300.0
HALF = 10**0.5  # Rates of a scan are half a decade apart.
ASIDE = 1.8  # A rate stands for those around it, half a decade apart.
NEARLY = 0.85  # Of the best rate's fall of the loss.
# Times the rate suggested. With a constant rate, 10 is the largest that works.
HIGH_WARN, HIGH_FAIL, LOW_WARN = 10.0, 30.0, 0.01
NOTED = (1 / 30, 3.0)
# Times higher a peak may be that a training warms up to so many times as long as the scan does.
WARMED, LONG = 3.0, 10.0
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
    least = max(LEAST_DROP * point.first_loss, 3 * point.se)
    if point.end_loss > point.first_loss + least:
        return "too high"
    return "works" if point.first_loss - point.end_loss >= least else "too low"


def classes(points: Sequence[RatePoint], chance: float = 0.0) -> dict[float, Class]:
    """Of each rate, over its seeds, in order of rates.

    A rate works where it does for all seeds, and is too high where it is for any. A loss that falls
    while answers stay guesses, when smaller rates do better, is a network that died: too high.
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
            accuracy = fmean(point.accuracy for point in by_rate[rate])
            kind = "works" if accuracy > chance or not learned else "too high"
            learned = learned or accuracy > chance > 0
        found[rate] = kind
    return found


def settled(points: Sequence[RatePoint], rate: float, annealed: bool, chance: float) -> bool:
    """Whether rates below those tried, from the highest down, would change nothing.

    So it is once the recipe's own `rate` is among them, and a rate that works above guessing, and
    all that is proposed to be searched, and rates below those that teach most.
    """
    found = sorted(classes(points, chance).items())
    run = list(takewhile(lambda one: one[1] != "too high", found))
    working = [at for at, kind in run if kind == "works"]
    learned = any(point.accuracy > chance and point.rate in working for point in points)
    lowest = found[0][0]
    if not learned or lowest * ASIDE > rate or min(_good(points, working[-1])[1]) <= lowest:
        return False
    return lowest <= _searched(working[-1], _suggested(points, working[-1], annealed))


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
    """A peak rate and a range to search, inside what was scanned; None where nothing works.

    Where the rate falls later, a third of the largest that works for all seeds, but no more than
    the largest with which the loss falls nearly as far as with any: after a warm-up, rates are
    survived that teach little. Where it stays, `_centre`. Search from a 300th of the largest up, or
    from a tenth of that suggested.
    """
    top = largest_working(classes(points, chance))
    if top is None:
        return None
    lowest = min(point.rate for point in points)
    rate = _suggested(points, top, annealed)
    return max(rate, lowest), (max(_searched(top, rate), lowest), top)


def _suggested(points: Sequence[RatePoint], top: float, annealed: bool) -> float:
    _, good = _good(points, top)
    return min(top / ANNEALED, max(good)) if annealed else _centre(points, top, annealed)


def _searched(top: float, rate: float) -> float:
    """The lowest rate of a search: a 300th of the largest, or a tenth of that suggested."""
    return min(top / RANGE, rate / 10)


def _centre(points: Sequence[RatePoint], top: float, annealed: bool) -> float:
    """What a peak is judged by: a third of the largest rate that works (a tenth where it stays).

    But no more than the middle, in decades, between the rate with which the loss falls farthest and
    the largest with which it falls nearly as far.
    """
    best, good = _good(points, top)
    return min(top / (ANNEALED if annealed else CONSTANT), math.sqrt(best * max(good)))


def _good(points: Sequence[RatePoint], top: float) -> tuple[float, list[float]]:
    """The rate up to `top` with which the loss falls farthest, and those that do nearly as well."""
    falls: dict[float, list[float]] = {}
    for point in points:
        if point.rate <= top and point.finite and math.isfinite(point.end_loss):
            falls.setdefault(point.rate, []).append(point.first_loss - point.end_loss)
    mean = {rate: fmean(found) for rate, found in falls.items()}
    best = max(mean, key=lambda rate: (mean[rate], rate))
    return best, [rate for rate, fall in mean.items() if fall >= NEARLY * mean[best]]


def judge_learning_rate(numbers: LearningRateScan) -> Finding:
    """C14. The recipe's peak rate against the largest with which the loss goes down.

    Measured in times a third (a rate that falls later) or a tenth (a constant one) of that, or less
    where rates below it teach more: WARN from 10 times on, and below a 100th; FAIL from 30 times on
    of what works at all, and in a shortened scan only if such a rate was seen to explode; WARN,
    too, from the first rate that was tried and was too high. Warm-up carries a peak beyond what
    works from the start: with one ten times as long as the scan's it may be three times higher.
    Beyond a scan that found no rate too high nothing is said.

    Source: CS231n, lecture 6, "find learning rate that makes the loss go down"; Smith 2017.
    """
    check, wanted = "C14", "a rate with which the loss goes down"
    if not math.isfinite(numbers.rate) or not math.isfinite(numbers.chance) or not numbers.points:
        told = "there is no rate to judge: check learning_rate in train.optimizer."
        return finding(check, FAIL, numbers.rate, wanted, told)
    found = classes(numbers.points, numbers.chance)
    details: dict[str, object] = {
        "classes": [{"rate": rate, "class": kind} for rate, kind in found.items()]
    }
    annealed = numbers.schedule != "constant"
    proposed = suggestion(numbers.points, annealed, numbers.chance)
    if proposed is None:
        verdict, told = _nothing_works(numbers, found)
        return finding(check, verdict, numbers.rate, wanted, told, **details)
    rate, (low, high) = proposed
    details |= {"largest_that_works": high, "suggested": rate, "search": [low, high]}
    # What is too high is measured by what works at all, what is too low by what teaches most.
    centre = max(_centre(numbers.points, high, annealed), min(found))
    common = high / (ANNEALED if annealed else CONSTANT)
    doubt = 1 / numbers.scale if 0 < numbers.scale < 1 else 1.0
    allowed = doubt * (WARMED if numbers.warmup >= LONG else 1)
    wanted = f"{centre * LOW_WARN:.2g} < learning_rate < {centre * HIGH_WARN * allowed:.2g} "
    wanted += f"(fails from {common * HIGH_FAIL * allowed:.2g} on)"
    beyond = [at for at, kind in found.items() if kind == "too high" and at > high]
    burst = {point.rate for point in numbers.points if exploded(point)}
    proven = [at for at in beyond if not numbers.shortened or at in burst]
    if numbers.rate > centre:
        verdict = _too_high(numbers.rate / allowed, centre, common, beyond, proven)
        if verdict is PASS and numbers.rate > NOTED[1] * centre * doubt * HAIR:
            verdict = INFO
        known = numbers.rate <= rate
    else:
        verdict = _too_low(numbers.rate / centre)
        known = min(_good(numbers.points, high)[1]) <= numbers.rate * ASIDE
    if annealed and known:
        verdict = PASS  # As good as any that was tried.
    told = _told(numbers.rate, verdict, proposed, numbers.rate > centre, beyond, proven)
    return finding(check, verdict, numbers.rate, wanted, told, **details)


def _told(
    has: float,
    verdict: Verdict,
    proposed: Proposal,
    above: bool,
    beyond: Sequence[float],
    proven: Sequence[float],
) -> str:
    """What a verdict says of the recipe's rate, which is `above` what is best or below it."""
    rate, (low, high) = proposed
    told = f"learning_rate {has:g} in train.optimizer"
    search = f"Rough range to search: {low:.2g} to {high:.2g}"
    if has > high and not beyond:
        return f"{told} is above all rates tried, which go down up to {high:.2g}: not judged."
    if verdict is PASS:
        return f"{told} is near the {rate:.2g} suggested; the loss goes down up to {high:.2g}."
    if above and verdict is INFO:
        told += f" is high beside the {rate:.2g} suggested; without a long warm-up it may be "
        return f"{told}too high. {search}."
    if above and not proven:
        told += (
            f" is likely too high: in this short a scan the loss goes down up to {high:.2g} only."
        )
        return f"{told} Lower it to about {rate:.2g}, or scan where steps are faster. {search}."
    if above:
        return f"{told}: loss exploding means too high. Lower it to about {rate:.2g}. {search}."
    if verdict is INFO:
        return f"{told} is below the {rate:.2g} suggested; a higher one may learn faster. {search}."
    return f"{told}: loss barely changing means too low. Raise it to about {rate:.2g}. {search}."


def _too_high(
    rate: float,
    centre: float,
    common: float,
    beyond: Sequence[float],
    proven: Sequence[float],
) -> Verdict:
    """Of a rate above what is best.

    `beyond`: rates that were tried and were too high; `proven`: those of them that are so for sure.
    """
    rate *= HAIR
    if proven and rate >= max(HIGH_FAIL * common, min(proven) / HALF):
        return FAIL
    if beyond and rate >= min(*beyond, HIGH_WARN * centre):
        return WARN
    return PASS


def _too_low(times: float) -> Verdict:
    """Of a rate below what is best, in times that."""
    if times <= LOW_WARN * HAIR:
        return WARN
    return PASS if times >= NOTED[0] else INFO


def _nothing_works(numbers: LearningRateScan, found: dict[float, Class]) -> tuple[Verdict, str]:
    """WARN where accuracy says that learning has begun: some networks start slowly."""
    low, high = min(found), max(found)
    if set(found.values()) == {"too high"}:
        return FAIL, (
            f"loss exploding at every rate from {low:.2g} to {high:.2g}: learning rate too high, "
            "or inputs or kernels far too large (data.preprocess, kernel_initializer)."
        )
    best = max(point.accuracy for point in numbers.points if classified(point) != "too high")
    if best > numbers.chance:
        return WARN, (
            f"loss barely changing from {low:.2g} to {high:.2g}, but accuracy reaches {best:.2f}: "
            "the softmax is still diffuse and the direction right; learning_rate in "
            "train.optimizer is too low, or the network starts slowly and few steps cannot tell."
        )
    if numbers.steps < STEPS:
        return WARN, (
            f"loss not going down from {low:.2g} to {high:.2g} in the {numbers.steps} steps that "
            "could be afforded here, too few to tell: check where steps are faster, or with "
            "smaller images or batches."
        )
    return FAIL, (
        f"loss not going down from {low:.2g} to {high:.2g} and accuracy at chance, a plateau: bad "
        "kernel_initializer, dead units, or far too low learning_rate in train.optimizer."
    )
