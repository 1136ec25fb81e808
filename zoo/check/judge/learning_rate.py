"""C14: the recipe's learning rate against a scan of rates. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.check.judge.finding import FAIL, INFO, PASS, WARN, Finding, Verdict, finding
from zoo.check.judge.rates import (
    ANNEALED_DIVISOR,
    CONSTANT_DIVISOR,
    NEIGHBOUR_FACTOR,
    ROUNDING,
    RateClass,
    RatePoint,
    RoundedSuggestion,
    Suggestion,
    classify_rates,
    exploded,
    largest_working,
    near_best_rates,
    reference_rate,
    suggest,
)

STEPS = 50  # Steps of each training of a full scan.
SCAN_FACTOR = 10**0.5  # Rates of a scan are half a decade apart.

# The recipe's rate over the reference rate. Under a constant schedule the reference is at most a
# tenth of the largest rate that works, so 10 is that rate.
HIGH_FAIL = 30.0
HIGH_WARN = 10.0
HIGH_INFO = 3.0
LOW_INFO = 1 / 30
LOW_WARN = 0.01

# A recipe whose warm-up is at least 10 times as long as the scan's may have a peak 3 times higher.
LONG_WARMUP = 10.0
LONG_WARMUP_ALLOWANCE = 3.0


@dataclass(frozen=True, kw_only=True)
class LearningRateScan:
    """Short trainings at rates a constant factor apart, and the recipe's own rate.

    Attributes:
        points: one per rate and seed, in any order.
        rate: peak learning rate of the recipe.
        schedule: name of `train.schedule`.
        num_classes: C.
        chance: accuracy that guessing stays below: `chance.guessing_bound` of the largest class's
            share and the number of images that accuracies are measured on.
        steps: of each training; fewer than `STEPS` if steps are slow.
        scale: factor applied to rates where batches are smaller than the recipe's. Limits are known
            to within that factor: INFO and FAIL give a rate the benefit of the doubt.
        warmup: length of the recipe's warm-up over that of the scan; 0 without one.
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
        """Whether trainings are too short, or batches too small, to call a risen loss too high."""
        return self.steps < STEPS or self.scale < 1

    @property
    def annealed(self) -> bool:
        """Whether a schedule lowers the recipe's rate later."""
        return self.schedule != "constant"

    @property
    def uncertainty(self) -> float:
        """Factor to within which limits are known."""
        return 1 / self.scale if 0 < self.scale < 1 else 1.0

    @property
    def warmup_allowance(self) -> float:
        """Factor by which a long warm-up allows a higher rate than the scan's."""
        return LONG_WARMUP_ALLOWANCE if self.warmup >= LONG_WARMUP else 1.0

    @property
    def suggestion(self) -> Suggestion | None:
        """The rate to suggest; None if no rate works, or if time was too short to tell.

        After few steps the loss may be down only at low rates, at which it barely moves, while at a
        higher rate, which teaches far more, it is still up. A shortened scan therefore suggests no
        rate below the recipe's unless a rate close to the recipe's exploded.
        """
        suggested = suggest(self.points, self.annealed, self.chance)
        if suggested is None or self.unfinished:
            return None
        _, (_, top) = suggested
        undecided = (
            self.shortened and self.rate > top * NEIGHBOUR_FACTOR and _lowest_exploded(self) is None
        )
        return None if undecided else suggested

    @property
    def rounded_suggestion(self) -> RoundedSuggestion | None:
        """The suggestion to two significant digits, for reports and for the short training."""
        if self.suggestion is None:
            return None
        rate, search = self.suggestion
        return {
            "learning_rate": float(f"{rate:.2g}"),
            "search": [float(f"{end:.2g}") for end in search],
        }


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

    Source: CS231n, lecture 6, "find learning rate that makes the loss go down"; Smith 2017.
    """
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
        verdict, advice = _without_suggestion(numbers, classes)
        return finding(check, verdict, numbers.rate, threshold, advice, **details)
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
    advice = _advice(numbers.rate, verdict, suggested, above, limits.too_high)
    return finding(check, verdict, numbers.rate, threshold, advice, **details)


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


def _advice(
    own_rate: float,
    verdict: Verdict,
    suggested: Suggestion,
    above: bool,
    too_high: Sequence[float],
) -> str:
    """Say what the verdict means for the recipe's rate, `above` the reference rate or below."""
    rate, (low, high) = suggested
    subject = f"learning_rate {own_rate:g} in train.optimizer"
    search = f"Rough range to search: {low:.2g} to {high:.2g}"
    if own_rate > high and not too_high:
        return (
            f"{subject} is above {high:.2g}, the largest rate with which the loss goes down, and "
            "no rate that was tried is certainly too high: not judged."
        )
    if verdict is PASS:
        return f"{subject} is near the {rate:.2g} suggested; the loss goes down up to {high:.2g}."
    if above and verdict is INFO:
        return (
            f"{subject} is high beside the {rate:.2g} suggested; without a long warm-up it may be "
            f"too high. {search}."
        )
    if above:
        return f"{subject} is too high: the loss explodes. Lower it to about {rate:.2g}. {search}."
    if verdict is INFO:
        return (
            f"{subject} is below the {rate:.2g} suggested; a higher one may learn faster. {search}."
        )
    return f"{subject} is too low: the loss barely changes. Raise it to about {rate:.2g}. {search}."


def _without_suggestion(
    numbers: LearningRateScan, classes: dict[float, RateClass]
) -> tuple[Verdict, str]:
    if numbers.unfinished:
        return _out_of_time(numbers, classes)
    if (top := largest_working(classes)) is not None:
        return INFO, (
            f"learning_rate {numbers.rate:g} in train.optimizer is not judged: after so few steps "
            f"the loss goes down only at rates up to {top:.2g}, but no rate up to the recipe's "
            "made it explode. C16 says whether the network learns."
        )
    return _exploding(numbers, classes) or _barely_changing(numbers, classes)


def _out_of_time(numbers: LearningRateScan, classes: dict[float, RateClass]) -> tuple[Verdict, str]:
    """Judge the recipe's rate if time ran out before other rates were tried."""
    subject = f"learning_rate {numbers.rate:g} in train.optimizer"
    low, high = min(classes), max(classes)
    tried = f"time ran out after {len(classes)} rates, from {low:.2g} to {high:.2g}"
    if (lowest := _lowest_exploded(numbers)) is not None:
        return WARN, f"{_lower(numbers.rate, lowest)}; {tried}, so that none can be suggested."
    nearest = min(classes, key=lambda rate: abs(math.log(rate / numbers.rate)))
    close = 1 / NEIGHBOUR_FACTOR <= numbers.rate / nearest <= NEIGHBOUR_FACTOR
    if classes[nearest] == "works" and close:
        return INFO, f"{subject}: the loss goes down. Whether others teach more is open: {tried}."
    return INFO, f"{subject} is not judged: {tried}. Check where steps are faster."


def _lowest_exploded(numbers: LearningRateScan) -> float | None:
    """Return the lowest rate that exploded if the recipe's is about as high, else None."""
    lowest = min((point.rate for point in numbers.points if exploded(point)), default=math.inf)
    reach = numbers.rate / numbers.warmup_allowance * NEIGHBOUR_FACTOR
    return lowest if lowest <= reach else None


def _lower(rate: float, lowest_exploded: float) -> str:
    return (
        f"learning_rate {rate:g} in train.optimizer is too high: the loss explodes at "
        f"{lowest_exploded:.2g}. Lower it, to {lowest_exploded / 10:.2g} at first"
    )


def _exploding(
    numbers: LearningRateScan, classes: dict[float, RateClass]
) -> tuple[Verdict, str] | None:
    """Judge explosions where no rate works; None if the recipe's rate is below them.

    Few steps are enough to see a loss explode.
    """
    if set(classes.values()) == {"too high"}:
        return FAIL, (
            f"loss exploding at every rate from {min(classes):.2g} to {max(classes):.2g}: learning "
            "rate too high, or inputs or kernels far too large (data.preprocess, "
            "kernel_initializer)."
        )
    if (lowest_exploded := _lowest_exploded(numbers)) is None:
        return None
    far_above = (
        numbers.rate / (numbers.uncertainty * numbers.warmup_allowance)
        >= HIGH_WARN * lowest_exploded
    )
    return FAIL if far_above else WARN, (
        f"{_lower(numbers.rate, lowest_exploded)}; the loss goes down with no rate that was tried, "
        "so that none can be suggested."
    )


def _barely_changing(
    numbers: LearningRateScan, classes: dict[float, RateClass]
) -> tuple[Verdict, str]:
    """Judge a scan in which no rate works and the recipe's does not explode.

    WARN if accuracy is above chance: some networks start slowly. INFO after few steps: C16 asks
    with more of them whether the network learns.
    """
    quiet = [rate for rate, rate_class in classes.items() if rate_class != "too high"]
    span = f"from {min(quiet):.2g} to {max(quiet):.2g}"
    best = max(point.accuracy for point in numbers.points if point.rate in quiet)
    if numbers.shortened:
        return INFO, (
            f"loss barely changing {span}: after so few steps of so few images it is open which "
            "rates work. C16 says whether the network learns."
        )
    if best <= numbers.chance:
        return FAIL, (
            f"loss not going down {span} and accuracy at chance, a plateau: bad "
            "kernel_initializer, dead units, or far too low learning_rate in train.optimizer."
        )
    advice = f"loss barely changing {span}, but accuracy reaches {best:.2f}: the "
    advice += "predictions are right more often than chance, but not yet confident; "
    if numbers.rate <= max(quiet) / ANNEALED_DIVISOR * ROUNDING:
        advice += "learning_rate in train.optimizer is too low, or "
    return WARN, f"{advice}the network starts slowly."
