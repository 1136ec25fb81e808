"""What C14 says of a recipe's learning rate, and what to change. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence

from zoo.checks.judge.finding import FAIL, INFO, PASS, WARN, Finding, Verdict, finding
from zoo.checks.judge.rate_scan import LearningRateScan, lowest_exploded
from zoo.checks.judge.rates import (
    ANNEALED_DIVISOR,
    NEIGHBOUR_FACTOR,
    ROUNDING,
    RateClass,
    Suggestion,
    largest_working,
)
from zoo.checks.judge.remedies import (
    KERNEL_SCALE,
    LEARNING_RATE,
    RAISE,
    USE,
    Remedy,
    lower_rate,
    raise_rate,
)

# A verdict; the advice, or else the diagnosis and remedies.
Judgement = tuple[Verdict, str, *tuple[Remedy, ...]]
FAR_ABOVE = 10.0  # Times the lowest rate that exploded.


def advise(
    own_rate: float,
    verdict: Verdict,
    suggested: Suggestion,
    above: bool,
    too_high: Sequence[float],
) -> tuple[str, list[Remedy], str]:
    """Say what the verdict means for the recipe's rate.

    Args:
        own_rate: of the recipe.
        verdict: on it.
        suggested: as `LearningRateScan.suggestion`.
        above: whether the rate is above the reference rate.
        too_high: rates that are certainly too high.

    Returns:
        The advice, or the diagnosis; remedies; a remark.
    """
    rate, (low, high) = suggested
    subject = f"learning_rate {own_rate:g} in train.optimizer"
    search = f"Rough range to search: {low:.2g} to {high:.2g}."
    if own_rate > high and not too_high:
        sentence = (
            f"{subject} is above {high:.2g}, the largest rate with which the loss goes down, and "
            "no rate that was tried is certainly too high: not judged."
        )
        return sentence, [], ""
    if verdict is PASS:
        sentence = f"{subject} is near the {rate:.2g} suggested; the loss goes down up to "
        return f"{sentence}{high:.2g}.", [], ""
    if above and verdict is INFO:
        diagnosis = f"{subject} is high beside the {rate:.2g} suggested"
        return diagnosis, [lower_rate("without a long warm-up, try a lower one")], search
    if above:
        diagnosis = f"{subject} is too high, the loss explodes"
        return diagnosis, [lower_rate(f"lower it to about {rate:.2g}", rate)], search
    if verdict is INFO:
        diagnosis = f"{subject} is below the {rate:.2g} suggested"
        return diagnosis, [raise_rate("a higher one may learn faster")], search
    diagnosis = f"{subject} is too low, the loss barely changes"
    return diagnosis, [raise_rate(f"raise it to about {rate:.2g}", rate)], search


def without_suggestion(numbers: LearningRateScan, classes: dict[float, RateClass]) -> Judgement:
    """Judge the recipe's rate where no rate can be suggested."""
    if numbers.unfinished:
        return _out_of_time(numbers, classes)
    if (top := largest_working(classes)) is not None:
        return INFO, (
            f"learning_rate {numbers.rate:g} in train.optimizer is not judged: after so few steps "
            f"the loss goes down only at rates up to {top:.2g}, but no rate up to the recipe's "
            "made it explode. C16 says whether the network learns."
        )
    return _exploding(numbers, classes) or _barely_changing(numbers, classes)


def _out_of_time(numbers: LearningRateScan, classes: dict[float, RateClass]) -> Judgement:
    """Judge the recipe's rate if time ran out before other rates were tried."""
    subject = f"learning_rate {numbers.rate:g} in train.optimizer"
    low, high = min(classes), max(classes)
    tried = f"time ran out after {len(classes)} rates, from {low:.2g} to {high:.2g}"
    if (lowest := lowest_exploded(numbers)) is not None:
        return WARN, f"{_too_high(numbers.rate, lowest)} ({tried})", _lower_below(lowest)
    nearest = min(classes, key=lambda rate: abs(math.log(rate / numbers.rate)))
    close = 1 / NEIGHBOUR_FACTOR <= numbers.rate / nearest <= NEIGHBOUR_FACTOR
    if classes[nearest] == "works" and close:
        return INFO, f"{subject}: the loss goes down. Whether others teach more is open: {tried}."
    return INFO, f"{subject} is not judged: {tried}. Check where steps are faster."


def _too_high(rate: float, lowest: float) -> str:
    return (
        f"learning_rate {rate:g} in train.optimizer is too high, the loss explodes at {lowest:.2g}"
    )


def _lower_below(lowest: float) -> Remedy:
    return lower_rate(f"lower it, to {lowest / 10:.2g} at first", lowest / 10)


def _exploding(numbers: LearningRateScan, classes: dict[float, RateClass]) -> Judgement | None:
    """Judge explosions where no rate works; None if the recipe's rate is below them.

    Few steps are enough to see a loss explode.
    """
    if set(classes.values()) == {"too high"}:
        return (
            FAIL,
            f"loss exploding at every rate from {min(classes):.2g} to {max(classes):.2g}",
            lower_rate("learning rate too high"),
            Remedy("inputs or kernels far too large (data.preprocess, kernel_initializer)"),
        )
    if (lowest := lowest_exploded(numbers)) is None:
        return None
    far_above = (
        numbers.rate / (numbers.uncertainty * numbers.warmup_allowance) >= FAR_ABOVE * lowest
    )
    diagnosis = f"{_too_high(numbers.rate, lowest)}, and it goes down with no rate that was tried"
    return FAIL if far_above else WARN, diagnosis, _lower_below(lowest)


def _barely_changing(numbers: LearningRateScan, classes: dict[float, RateClass]) -> Judgement:
    """Judge a scan in which no rate works and the recipe's does not explode.

    WARN if accuracy is above chance: some networks start slowly. INFO after few steps: C16 asks
    with more of them whether the network learns.
    """
    quiet = [rate for rate, rate_class in classes.items() if rate_class != "too high"]
    span = f"from {min(quiet):.2g} to {max(quiet):.2g}"
    best = max(point.accuracy for point in numbers.points if point.rate in quiet)
    if numbers.shortened:
        return INFO, (
            f"the loss hardly changed at any rate {span}. The steps and images were too few to "
            "tell which rates work; C16 says whether the network learns."
        )
    if best <= numbers.chance:
        return (
            FAIL,
            f"loss not going down {span} and accuracy at chance, a plateau",
            Remedy("bad kernel_initializer", {KERNEL_SCALE: USE}),
            Remedy("dead units"),
            raise_rate("far too low learning_rate in train.optimizer"),
        )
    advice = (
        f"the loss hardly changed at any rate {span}, yet accuracy reached {best:.2f}, which is "
    )
    advice += "above chance: the network learns, but slowly"
    if numbers.rate <= max(quiet) / ANNEALED_DIVISOR * ROUNDING:
        slow = Remedy("it needs more steps than the scan has, as with few images")
        return WARN, advice, raise_rate("learning_rate in train.optimizer is too low"), slow
    return WARN, f"{advice}. It needs more steps than the scan has, as with few images."


def raises_rate(judged: Finding) -> bool:
    """Whether the advice is to raise the learning rate."""
    return any(remedy.changes.get(LEARNING_RATE) == RAISE for remedy in judged.remedies)


def not_built_up(rate: float, momentum: float, steps: int, judged: Finding) -> Finding:
    """C14 for a rate that is low in the scan, whose steps are too few for the momentum."""
    advice = (
        f"learning_rate {rate:g} in train.optimizer is not judged: it is low in the {steps} steps "
        f"of the scan, but momentum {momentum:g} makes later steps larger."
    )
    return finding("C14", INFO, rate, judged.threshold, advice, **judged.details)
