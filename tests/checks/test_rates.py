"""C14 and C15: the learning rate."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY, scan
from zoo.checks.finding import TOO_FEW
from zoo.checks.learning_rate import LearningRateScan, judge_learning_rate
from zoo.checks.rates import (
    RatePoint,
    classes,
    classified,
    largest_working,
    next_rate,
    suggestion,
)

POINT = RatePoint(
    rate=0.1, seed=0, first_loss=2.3, end_loss=1.5, se=0.01, smoothed_max=2.4, accuracy=0.4
)

QUIET = replace(POINT, end_loss=2.3, accuracy=0.2)


def bursts(*rates: float) -> list[RatePoint]:
    return [replace(POINT, rate=rate, finite=False) for rate in rates]


@pytest.mark.parametrize(
    "changes, kind",
    [
        ({}, "works"),
        ({"finite": False}, "too high"),
        ({"end_loss": math.nan}, "too high"),
        ({"smoothed_max": 6.91}, "too high"),
        ({"smoothed_max": 6.89}, "works"),
        ({"end_loss": 2.34}, "too high"),
        ({"end_loss": 2.32}, "too low"),  # Noise around the first loss, at a tiny rate.
        ({"end_loss": 2.28}, "too low"),
        ({"end_loss": 2.26}, "works"),
        ({"end_loss": 2.26, "se": 0.02}, "too low"),
    ],
)
def test_classes_of_a_point(changes: dict[str, object], kind: str) -> None:
    assert classified(replace(POINT, **changes)) == kind


def test_a_rate_works_only_with_all_seeds() -> None:
    bad = replace(POINT, seed=1, finite=False)
    slow = replace(POINT, seed=1, end_loss=2.3)
    assert classes([POINT, bad]) == {0.1: "too high"}
    assert classes([POINT, slow]) == {0.1: "too low"}


def test_a_network_that_died_does_not_work() -> None:
    """From 3.5 to ln 10, while answers are guesses."""
    fine = replace(POINT, first_loss=3.5, rate=0.01)
    dead = replace(POINT, first_loss=3.5, end_loss=2.31, smoothed_max=3.6, rate=1.0, accuracy=0.1)
    assert classes([dead, fine], chance=0.13) == {0.01: "works", 1.0: "too high"}
    assert suggestion([dead, fine], annealed=True, chance=0.13) == (0.01, (0.01 / 300, 0.01))


def test_a_lucky_rate_above_those_that_explode_does_not_count() -> None:
    found = classes([*scan(-3, 0), replace(POINT, rate=100.0)])
    assert largest_working(found) == 1.0


def peaked(top: int, best: int, first: int, noise: float, seed: int) -> list[RatePoint]:
    """Half decades from 10^first to 10^1.5: rates up to 10^(top / 2), best at 10^(best / 2)."""
    draw = random.Random(seed)
    points = []
    for half in range(2 * first, 4):
        fall = 1.2 * 0.6 ** abs(half - best) + draw.gauss(0, noise)
        kind = {"end_loss": 2.3 - fall, "accuracy": 0.1 + max(fall, 0.0) / 2}
        if half > top:
            kind = {"end_loss": 40.0, "smoothed_max": 40.0, "accuracy": 0.1}
        points.append(replace(POINT, rate=10 ** (half / 2), first_loss=2.3, **kind))
    return points


def peaks(*noise: float) -> st.SearchStrategy[list[RatePoint]]:
    ends, best = st.integers(-6, 4), st.integers(-10, 2)
    return st.builds(
        peaked, ends, best, st.sampled_from([-5, -6]), st.sampled_from(noise), st.integers(0, 99)
    )


PEAKED = peaks(0.0, 0.02)
SCANS = st.tuples(st.integers(-6, 1), st.integers(-6, 1)).map(lambda ends: scan(*sorted(ends)))


@given(SCANS | PEAKED, st.floats(1e-7, 100.0), st.sampled_from(["constant", "cosine"]))
def test_advice_goes_the_right_way(points: list[RatePoint], rate: float, schedule: str) -> None:
    numbers = replace(HEALTHY["C14"], points=points, rate=rate, schedule=schedule, chance=0.11)
    found = judge_learning_rate(numbers)
    suggested = found.details.get("suggested")
    if suggested is None:
        return
    assert ("Raise it" in found.advice) <= (rate < suggested)
    assert ("Lower it" in found.advice or "high beside" in found.advice) <= (rate > suggested)
    assert ("is below" in found.advice) <= (rate < suggested)
    if found.verdict.value in ("WARN", "FAIL"):
        assert not suggested / 3 <= rate <= suggested * 3 or rate >= found.details["search"][1]


@given(PEAKED, st.booleans())
def test_the_range_to_search_holds_what_is_suggested(
    points: list[RatePoint], annealed: bool
) -> None:
    found = suggestion(points, annealed, 0.11)
    if found is None:
        return
    rate, (low, high) = found
    assert low <= rate / 10
    assert rate <= high


@given(SCANS, st.booleans())
def test_suggestion_lies_in_what_was_scanned(points: list[RatePoint], annealed: bool) -> None:
    found = suggestion(points, annealed)
    assert found is not None
    rate, (low, high) = found
    rates = [point.rate for point in points]
    assert min(rates) <= rate <= high <= max(rates)
    assert low <= rate / 10
    assert low <= high / 300


def walked(points: list[RatePoint], rate: float, annealed: bool, chance: float) -> list[RatePoint]:
    """What a dear scan would train of these."""
    all_of_them = {point.rate: point for point in points if point.seed == 0}
    found: list[RatePoint] = []
    while (following := next_rate(found, list(all_of_them), rate, annealed, chance)) is not None:
        assert following not in [point.rate for point in found]
        found.append(all_of_them[following])
    return found


@given(SCANS | peaks(0.0), st.booleans(), st.floats(1e-7, 100.0))
def test_rates_that_are_left_out_change_nothing(
    points: list[RatePoint], annealed: bool, rate: float
) -> None:
    numbers = replace(HEALTHY["C14"], rate=rate, schedule="cosine" if annealed else "constant")
    chance = numbers.chance
    kinds = classes(points, chance)
    quiet, top = max(r for r, kind in kinds.items() if kind != "too high"), largest_working(kinds)
    assume(top is None or quiet < 1000 * top)
    found = walked(points, rate, annealed, chance)
    nearest = min((point.rate for point in points), key=lambda one: abs(math.log(one / rate)))
    assert found[0].rate == pytest.approx(nearest)
    some, whole = (judge_learning_rate(replace(numbers, points=one)) for one in (found, points))
    assert some.verdict == whole.verdict
    assert suggestion(found, annealed, chance) == suggestion(points, annealed, chance)


def test_a_dear_scan_goes_up_to_the_first_that_is_too_high_and_then_down() -> None:
    ends = {1e-3: 2.0, 1e-2: 1.8, 1e-1: 1.5, 1.0: 1.7, 10.0: 40.0, 100.0: 40.0}
    points = [
        replace(POINT, rate=rate, end_loss=end, smoothed_max=max(end, 2.3))
        for rate, end in ends.items()
    ]
    tried = [point.rate for point in walked(points, 0.2, annealed=True, chance=0.1)]
    assert tried == [0.1, 1.0, 10.0, 0.01]


def test_where_nothing_works_a_dear_scan_ends_three_decades_below() -> None:
    rates = [10.0**power for power in range(-6, 2)]
    points = [replace(QUIET, rate=rate, finite=rate < 1) for rate in rates]
    tried = [point.rate for point in walked(points, 0.1, annealed=True, chance=0.1)]
    assert tried == pytest.approx([0.1, 1.0, 0.01, 0.001, 0.0001])
    lost = [replace(point, finite=False) for point in points]
    assert len(walked(lost, 0.1, annealed=True, chance=0.1)) == 6  # Each lower one might work.


@given(SCANS, st.randoms(use_true_random=False), st.floats(1e-7, 100.0))
def test_points_have_no_order(points: list[RatePoint], chance: random.Random, rate: float) -> None:
    numbers = replace(HEALTHY["C14"], points=points, rate=rate)
    shuffled = chance.sample(points, len(points))
    assert judge_learning_rate(numbers) == judge_learning_rate(replace(numbers, points=shuffled))


@pytest.mark.parametrize("annealed, wanted", [(True, 0.1 / 3), (False, 0.01)])
def test_suggestion(annealed: bool, wanted: float) -> None:
    found = suggestion(scan(-4, -1), annealed)
    assert found is not None
    rate, search = found
    assert rate == pytest.approx(wanted)
    assert search == pytest.approx((0.1 / 300, 0.1))


def test_nothing_is_suggested_where_nothing_works() -> None:
    assert suggestion([replace(POINT, finite=False)], annealed=True) is None
    assert suggestion([replace(POINT, end_loss=2.3)], annealed=True) is None


# The scan works from 0.001 to 1: suggested are 0.33 where the rate falls, 0.1 where it stays.
RATES = [
    (0.1, "constant", "PASS", "suggested"),
    (0.3, "constant", "PASS", "suggested"),
    (0.5, "constant", "INFO", "without a long warm-up"),
    (1.0, "constant", "WARN", "loss exploding"),
    (2.9, "constant", "WARN", "loss exploding means too high. Lower it to about 0.1"),
    (3.2, "constant", "FAIL", "loss exploding means too high. Lower it to about 0.1"),
    (10.0, "constant", "FAIL", "Rough range to search: 0.0033 to 1"),
    (1.0, "cosine", "PASS", "suggested"),
    (3.0, "one_cycle", "INFO", "without a long warm-up"),
    (3.4, "one_cycle", "WARN", "too high"),
    (10.0, "triangle", "FAIL", "too high"),
    (0.004, "constant", "PASS", "suggested"),
    (0.002, "constant", "INFO", "a higher one may learn faster"),
    (0.0009, "constant", "WARN", "loss barely changing means too low. Raise it"),
    (1e-6, "cosine", "WARN", "learning_rate 1e-06 in train.optimizer"),
]


@pytest.mark.parametrize("rate, schedule, verdict, words", RATES)
def test_learning_rate(rate: float, schedule: str, verdict: str, words: str) -> None:
    found = judge_learning_rate(replace(HEALTHY["C14"], rate=rate, schedule=schedule))
    assert (found.verdict, words in found.advice) == (verdict, True), found


@pytest.mark.parametrize(
    "rate, scale, warmup, verdict",
    [
        (9.0, 1.0, 9.0, "WARN"),  # 27 times a third of 1.
        (9.0, 1.0, 10.0, "INFO"),
        (10.0, 1.0, 10.0, "WARN"),
        (29.0, 1.0, 10.0, "WARN"),
        (30.0, 1.0, 10.0, "FAIL"),
        (10.0, 1.0, 0.0, "FAIL"),
        (10.0, 0.5, 0.0, "WARN"),
        (10.0, 0.5, 10.0, "INFO"),
        (0.9, 1.0, 10.0, "PASS"),
        (1.1, 1.0, 10.0, "INFO"),
    ],
)
def test_warm_up_and_doubt_allow_higher_rates(
    rate: float, scale: float, warmup: float, verdict: str
) -> None:
    numbers = replace(HEALTHY["C14"], rate=rate, schedule="cosine", scale=scale, warmup=warmup)
    assert judge_learning_rate(numbers).verdict == verdict


@given(SCANS, st.sampled_from(["constant", "cosine"]))
def test_what_is_suggested_passes(points: list[RatePoint], schedule: str) -> None:
    found = suggestion(points, schedule != "constant")
    assert found is not None
    numbers = replace(HEALTHY["C14"], points=points, schedule=schedule, rate=found[0])
    assert judge_learning_rate(numbers).verdict == "PASS"


def test_beyond_a_scan_nothing_is_said() -> None:
    numbers = replace(HEALTHY["C14"], points=scan(-3, 1), rate=1000.0)
    found = judge_learning_rate(numbers)
    assert (found.verdict, "not judged" in found.advice) == ("INFO", True)


@pytest.mark.parametrize(
    "points, verdict, words",
    [
        ([replace(POINT, finite=False)], "FAIL", "loss exploding at every rate"),
        ([replace(POINT, end_loss=2.3, accuracy=0.2)], "WARN", "right; the network starts slowly"),
        ([QUIET, replace(QUIET, rate=1.0)], "WARN", "from 0.1 to 1, but accuracy reaches 0.20"),
        ([QUIET, replace(QUIET, rate=1.0)], "WARN", "train.optimizer is too low, or the network"),
        ([QUIET, *bursts(1.0, 10.0)], "WARN", "loss barely changing from 0.1 to 0.1, but"),
        ([QUIET, replace(QUIET, end_loss=2.4, rate=1.0)], "WARN", "from 0.1 to 0.1, but accuracy"),
        ([replace(QUIET, rate=0.01), *bursts(0.1)], "WARN", "exploding at 0.1 means too high"),
        ([replace(QUIET, rate=0.001), *bursts(0.01)], "FAIL", "exploding at 0.01 means too high"),
        ([replace(POINT, end_loss=2.3, accuracy=0.1)], "FAIL", "a plateau"),
        ([], "FAIL", "no rate to judge"),
    ],
)
def test_nothing_works(points: list[RatePoint], verdict: str, words: str) -> None:
    numbers = LearningRateScan(
        points=points, rate=0.1, schedule="constant", num_classes=10, chance=0.128
    )
    found = judge_learning_rate(numbers)
    assert (found.verdict, words in found.advice) == (verdict, True), found


def test_a_scan_that_ran_out_of_time() -> None:
    """It judges a rate that it reached, if that exploded or works; no other, and suggests none."""
    high = [replace(POINT, rate=rate, finite=False) for rate in (30.0, 10.0)]
    numbers = replace(HEALTHY["C14"], points=high, rate=0.1, steps=20, unfinished=True)
    assert judge_learning_rate(replace(numbers, unfinished=False)).verdict == "FAIL"
    works = replace(numbers, points=[*high, replace(POINT, rate=3.0)])
    for one, rate, verdict, words in [
        (numbers, 0.1, "INFO", "not judged: time ran out after 2 rates, from 10 to 30."),
        (numbers, 10.0, "WARN", "loss exploding at 10 means too high"),
        (numbers, 5.0, "INFO", "not judged"),
        (works, 0.1, "INFO", "not judged: time ran out after 3 rates, from 3 to 30."),
        (works, 3.0, "INFO", "the loss goes down. Whether others teach more is open"),
        (works, 30.0, "WARN", "loss exploding at 10"),
        (replace(numbers, scale=0.5), 10.0, "INFO", "not judged"),  # It may be too high by half.
    ]:
        found = judge_learning_rate(replace(one, rate=rate))
        assert (found.verdict, words in found.advice) == (verdict, True), found


def test_a_shortened_scan_fails_a_rate_only_where_one_like_it_exploded() -> None:
    """A loss that ends a little above the first may still come down after few steps."""
    points = [
        replace(one, end_loss=min(one.end_loss, 3.1), smoothed_max=min(one.smoothed_max, 3.5))
        for one in scan(-3, 0)
    ]
    numbers = replace(HEALTHY["C14"], points=points, rate=10.0)
    assert judge_learning_rate(numbers).verdict == "FAIL"
    numbers = replace(numbers, steps=49)
    found = judge_learning_rate(numbers)
    assert (found.verdict, "likely too high: in this short a scan" in found.advice) == (
        "WARN",
        True,
    )
    burst = [replace(one, smoothed_max=7.0) if one.rate == 10.0 else one for one in points]
    assert judge_learning_rate(replace(numbers, points=burst)).verdict == "FAIL"
    lost = [replace(one, finite=False) if one.rate == 10.0 else one for one in points]
    assert judge_learning_rate(replace(numbers, points=lost)).verdict == "FAIL"


@pytest.mark.parametrize(
    "points, verdict, sure",
    [
        ([replace(QUIET, accuracy=0.1)], "WARN", False),
        ([QUIET, *bursts(1.0)], "INFO", False),
        ([replace(QUIET, rate=0.001), *bursts(0.01)], "FAIL", True),
        (bursts(0.01), "FAIL", True),
    ],
)
def test_few_steps_cannot_tell_a_plateau(points: list[RatePoint], verdict: str, sure: bool) -> None:
    """But what exploded did."""
    numbers = replace(HEALTHY["C14"], points=points, chance=0.128, steps=20)
    found = judge_learning_rate(numbers)
    assert (found.verdict, TOO_FEW not in found.advice) == (verdict, sure), found


def test_an_annealed_rate_may_be_as_high_as_teaches_nearly_as_much() -> None:
    """Where it falls later, the best of a short scan at constant rates is too low."""
    ends = {1e-4: 1.9, 1e-3: 1.53, 3.2e-3: 1.55, 1e-2: 1.68, 1e-1: 2.0, 1.0: 40.0}
    points = [
        replace(POINT, rate=rate, first_loss=2.44, end_loss=end, smoothed_max=max(end, 2.5))
        for rate, end in ends.items()
    ]
    annealed, constant = (suggestion(points, falls, 0.1) for falls in (True, False))
    assert annealed is not None
    assert constant is not None
    assert annealed[0] == pytest.approx(3.2e-3)
    assert constant[0] == pytest.approx((1e-3 * 3.2e-3) ** 0.5)
