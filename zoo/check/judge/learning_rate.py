"""Check of the learning rate: a recipe's against a scan of rates. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, Verdict, finding
from zoo.check.judge.rates import (
    ANNEALED,
    ASIDE,
    CONSTANT,
    HAIR,
    Class,
    Proposal,
    RatePoint,
    centre_of,
    classes,
    exploded,
    good_rates,
    largest_working,
    suggestion,
)

STEPS = 50  # Of each training, where they are fast.
HALF = 10**0.5  # Rates of a scan are half a decade apart.
# Times the rate suggested. With a constant rate, 10 is the largest that works.
HIGH_WARN, HIGH_FAIL, LOW_WARN = 10.0, 30.0, 0.01
NOTED = (1 / 30, 3.0)
# Times higher a peak may be that a training warms up to so many times as long as the scan does.
WARMED, LONG = 3.0, 10.0


@dataclass(frozen=True, kw_only=True)
class LearningRateScan:
    """Trainings at rates a constant factor apart, and what the recipe says.

    Attributes:
        points: one a rate and seed, in any order.
        rate: peak learning rate of the recipe.
        schedule: word of `train.schedule`.
        num_classes: C.
        chance: accuracy that guessing stays below: `chance.guessing_bound` of the largest class's
            share and the images that accuracies are measured on.
        steps: of each training; fewer than `STEPS` where they are slow.
        scale: by which rates were multiplied for smaller batches than the recipe's: limits are
            known to that factor. INFO and FAIL give a rate the benefit of that doubt.
        warmup: of the recipe, in times that of the scan; 0 without one.
        unfinished: time ran out before rates were tried that might have changed the verdict.
    """

    points: Sequence[RatePoint]
    rate: float
    schedule: str
    num_classes: int
    chance: float
    steps: int = STEPS
    scale: float = 1.0
    warmup: float = 0.0
    unfinished: bool = False

    @property
    def shortened(self) -> bool:
        """Whether losses may yet come down that ended above where they began."""
        return self.steps < STEPS or self.scale < 1

    @property
    def annealed(self) -> bool:
        """Whether the recipe's rate falls later."""
        return self.schedule != "constant"

    @property
    def proposal(self) -> Proposal | None:
        """What to suggest; None where no rate works, or where time was too short to tell.

        After few steps the loss may be down with low rates only, of which it barely moves, while
        that of a higher one, which teaches far more, is still up: a shortened scan suggests nothing
        below the recipe's rate unless one like it was seen to explode.
        """
        found = suggestion(self.points, self.annealed, self.chance)
        if found is None or self.unfinished:
            return None
        _, (_, top) = found
        open_yet = self.shortened and self.rate > top * ASIDE and _burst(self) is None
        return None if open_yet else found


def judge_learning_rate(numbers: LearningRateScan) -> Finding:
    """C14. The recipe's peak rate against the largest with which the loss goes down.

    Measured in times a third (a rate that falls later) or a tenth (a constant one) of that, or less
    where rates below it teach more: WARN from 10 times on, and below a 100th; FAIL from 30 times on
    of what works at all; WARN, too, from the first rate that was tried and was too high. In a
    shortened scan a rate is too high only if one like it was seen to explode, WARN from there on;
    else one above what works is left open, as INFO: networks begin slowly at high rates. Warm-up
    carries a peak beyond what works from the start: with one ten times as long as the scan's it
    may be three times higher.
    Beyond a scan that found no rate too high nothing is said. Where time ran out before the rates
    that settle it: INFO, or WARN if a rate like the recipe's was seen to explode. Where no rate
    makes the loss go down: FAIL, or WARN if answers are better than guesses, as in a network that
    starts slowly, or INFO after a shortened scan; as above if a rate like the recipe's exploded.

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
    annealed, proposed = numbers.annealed, numbers.proposal
    if proposed is None:
        verdict, told = _nothing_to_suggest(numbers, found)
        return finding(check, verdict, numbers.rate, wanted, told, **details)
    rate, (low, high) = proposed
    details |= {"largest_that_works": high, "suggested": rate, "search": [low, high]}
    # What is too high is measured by what works at all, what is too low by what teaches most.
    centre = max(centre_of(numbers.points, high, annealed), min(found))
    common = high / (ANNEALED if annealed else CONSTANT)
    doubt, allowed = _doubt(numbers), _allowed(numbers)
    beyond = [at for at, kind in found.items() if kind == "too high" and at > high]
    warns, fails = centre * HIGH_WARN, common * HIGH_FAIL
    if numbers.shortened:
        # Between what works and what explodes are rates that time was too short for.
        burst = {point.rate for point in numbers.points if exploded(point)}
        beyond = [at for at in beyond if at in burst]
        if beyond:
            warns, fails = min(beyond) / ASIDE / doubt, max(fails, min(beyond))
    wanted = f"{centre * LOW_WARN:.2g} < learning_rate < {warns * allowed:.2g} "
    wanted += f"(fails from {fails * allowed:.2g} on)"
    if numbers.rate > centre:
        verdict = _too_high(numbers.rate / allowed, warns, fails, beyond)
        if verdict is PASS and numbers.rate > NOTED[1] * centre * doubt * HAIR:
            verdict = INFO
        known = numbers.rate <= rate
    else:
        verdict = _too_low(numbers.rate / centre)
        known = min(good_rates(numbers.points, high)[1]) <= numbers.rate * ASIDE
    if annealed and known:
        verdict = PASS  # As good as any that was tried.
    told = _told(numbers.rate, verdict, proposed, numbers.rate > centre, beyond)
    return finding(check, verdict, numbers.rate, wanted, told, **details)


def _told(
    has: float,
    verdict: Verdict,
    proposed: Proposal,
    above: bool,
    beyond: Sequence[float],
) -> str:
    """What a verdict says of the recipe's rate, which is `above` what is best or below it."""
    rate, (low, high) = proposed
    told = f"learning_rate {has:g} in train.optimizer"
    search = f"Rough range to search: {low:.2g} to {high:.2g}"
    if has > high and not beyond:
        told += (
            f" is above {high:.2g}, up to which the loss goes down, and no rate that was tried is"
        )
        return f"{told} surely too high: not judged."
    if verdict is PASS:
        return f"{told} is near the {rate:.2g} suggested; the loss goes down up to {high:.2g}."
    if above and verdict is INFO:
        told += f" is high beside the {rate:.2g} suggested; without a long warm-up it may be "
        return f"{told}too high. {search}."
    if above:
        return f"{told}: loss exploding means too high. Lower it to about {rate:.2g}. {search}."
    if verdict is INFO:
        return f"{told} is below the {rate:.2g} suggested; a higher one may learn faster. {search}."
    return f"{told}: loss barely changing means too low. Raise it to about {rate:.2g}. {search}."


def _too_high(rate: float, warns: float, fails: float, beyond: Sequence[float]) -> Verdict:
    """Of a rate above what is best.

    `warns`, `fails`: from where on; `beyond`: rates that were tried and are too high for sure.
    """
    rate *= HAIR
    if beyond and rate >= max(fails, min(beyond) / HALF):
        return FAIL
    if beyond and rate >= min(*beyond, warns):
        return WARN
    return PASS


def _too_low(times: float) -> Verdict:
    """Of a rate below what is best, in times that."""
    if times <= LOW_WARN * HAIR:
        return WARN
    return PASS if times >= NOTED[0] else INFO


def _doubt(numbers: LearningRateScan) -> float:
    """To which factor limits are known."""
    return 1 / numbers.scale if 0 < numbers.scale < 1 else 1.0


def _allowed(numbers: LearningRateScan) -> float:
    """Times higher the recipe's rate may be than the scan's: in doubt, and after a long warm-up."""
    return _doubt(numbers) * _warmed(numbers)


def _warmed(numbers: LearningRateScan) -> float:
    return WARMED if numbers.warmup >= LONG else 1.0


def _nothing_to_suggest(
    numbers: LearningRateScan, found: dict[float, Class]
) -> tuple[Verdict, str]:
    if numbers.unfinished:
        return _out_of_time(numbers, found)
    if (top := largest_working(found)) is not None:
        return INFO, (
            f"learning_rate {numbers.rate:g} in train.optimizer is not judged: after so few steps "
            f"the loss goes down up to {top:.2g} only, but with none up to the recipe's does it "
            "explode. C16 says whether the network learns."
        )
    return _exploding(numbers, found) or _barely_changing(numbers, found)


def _out_of_time(numbers: LearningRateScan, found: dict[float, Class]) -> tuple[Verdict, str]:
    """What can be said of the recipe's rate where others were not reached."""
    told = f"learning_rate {numbers.rate:g} in train.optimizer"
    ended = f"time ran out after {len(found)} rates, from {min(found):.2g} to {max(found):.2g}"
    burst = _burst(numbers)
    if burst is not None:
        return WARN, f"{_lower(numbers.rate, burst)}; {ended}, so that none can be suggested."
    nearest = min(found, key=lambda rate: abs(math.log(rate / numbers.rate)))
    if found[nearest] == "works" and 1 / ASIDE <= numbers.rate / nearest <= ASIDE:
        return INFO, f"{told}: the loss goes down. Whether others teach more is open: {ended}."
    return INFO, f"{told} is not judged: {ended}. Check where steps are faster."


def _burst(numbers: LearningRateScan) -> float | None:
    """The lowest rate that was seen to explode, if the recipe's is as high."""
    found = min((point.rate for point in numbers.points if exploded(point)), default=math.inf)
    return found if found <= numbers.rate / _warmed(numbers) * ASIDE else None


def _lower(rate: float, burst: float) -> str:
    return (
        f"learning_rate {rate:g} in train.optimizer: loss exploding at {burst:.2g} means too high. "
        f"Lower it, to {burst / 10:.2g} at first"
    )


def _exploding(numbers: LearningRateScan, found: dict[float, Class]) -> tuple[Verdict, str] | None:
    """Where no rate works: whether the recipe's is too high, which few steps are enough to see."""
    if set(found.values()) == {"too high"}:
        return FAIL, (
            f"loss exploding at every rate from {min(found):.2g} to {max(found):.2g}: learning "
            "rate too high, or inputs or kernels far too large (data.preprocess, "
            "kernel_initializer)."
        )
    burst = _burst(numbers)
    if burst is None:
        return None
    verdict = FAIL if numbers.rate / _allowed(numbers) >= HIGH_WARN * burst else WARN
    told = f"{_lower(numbers.rate, burst)}; the loss goes down with no rate that was tried, so that"
    return verdict, f"{told} none can be suggested."


def _barely_changing(numbers: LearningRateScan, found: dict[float, Class]) -> tuple[Verdict, str]:
    """WARN where accuracy says that learning has begun: some networks start slowly.

    After few steps INFO: whether the network learns at all, C16 asks with more of them.
    """
    quiet = [rate for rate, kind in found.items() if kind != "too high"]
    span = f"from {min(quiet):.2g} to {max(quiet):.2g}"
    best = max(point.accuracy for point in numbers.points if point.rate in quiet)
    if numbers.shortened:
        told = f"loss barely changing {span}: after so few steps of so few images it is open which"
        return INFO, f"{told} rates work. C16 says whether the network learns."
    if best <= numbers.chance:
        return FAIL, (
            f"loss not going down {span} and accuracy at chance, a plateau: bad "
            "kernel_initializer, dead units, or far too low learning_rate in train.optimizer."
        )
    told = f"loss barely changing {span}, but accuracy reaches {best:.2f}: the softmax is still "
    told += "diffuse and the direction right; "
    if numbers.rate <= max(quiet) / ANNEALED * HAIR:
        told += "learning_rate in train.optimizer is too low, or "
    return WARN, f"{told}the network starts slowly."
