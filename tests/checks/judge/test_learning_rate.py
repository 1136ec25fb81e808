"""C14: a recipe's learning rate against a scan."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY, scan
from tests.checks.scans import PEAKED, POINT, QUIET, SCANS, bursts, peaks, walked
from zoo.checks.judge.learning_rate import judge_learning_rate
from zoo.checks.judge.rate_scan import LearningRateScan
from zoo.checks.judge.rates import RatePoint, suggest


@given(SCANS | PEAKED, st.floats(1e-7, 100.0), st.sampled_from(["constant", "cosine"]))
def test_advice_goes_the_right_way(points: list[RatePoint], rate: float, schedule: str) -> None:
    numbers = replace(HEALTHY["C14"], points=points, rate=rate, schedule=schedule, chance=0.11)
    finding = judge_learning_rate(numbers)
    suggested = finding.details.get("suggested")
    assume(suggested is not None)
    assert ("Raise it" in finding.advice) <= (rate < suggested)
    assert ("lower it" in finding.advice or "high beside" in finding.advice) <= (rate > suggested)
    assert ("is below" in finding.advice) <= (rate < suggested)
    if finding.verdict.value in ("WARN", "FAIL"):
        assert not suggested / 3 <= rate <= suggested * 3 or rate >= finding.details["search"][1]


@given(SCANS | peaks(0.0), st.booleans(), st.floats(1e-7, 100.0))
def test_rates_that_are_left_out_change_nothing(
    points: list[RatePoint], annealed: bool, rate: float
) -> None:
    numbers = replace(HEALTHY["C14"], rate=rate, schedule="cosine" if annealed else "constant")
    chance = numbers.chance
    finding = walked(points, rate, annealed, chance)
    nearest = min((point.rate for point in points), key=lambda one: abs(math.log(one / rate)))
    assert finding[0].rate == pytest.approx(nearest)
    some, whole = (judge_learning_rate(replace(numbers, points=one)) for one in (finding, points))
    assert some.verdict == whole.verdict
    assert suggest(finding, annealed, chance) == suggest(points, annealed, chance)


@given(SCANS, st.randoms(use_true_random=False), st.floats(1e-7, 100.0))
def test_points_have_no_order(points: list[RatePoint], chance: random.Random, rate: float) -> None:
    numbers = replace(HEALTHY["C14"], points=points, rate=rate)
    shuffled = chance.sample(points, len(points))
    assert judge_learning_rate(numbers) == judge_learning_rate(replace(numbers, points=shuffled))


# The scan works from 0.001 to 1: suggested are 0.33 where the rate falls, 0.1 where it stays.
RATES = [
    (0.1, "constant", "PASS", "suggested"),
    (0.3, "constant", "PASS", "suggested"),
    (0.5, "constant", "INFO", "without a long warm-up"),
    (1.0, "constant", "WARN", "the loss explodes"),
    (2.9, "constant", "WARN", "is too high, the loss explodes: lower it to about 0.1"),
    (3.2, "constant", "FAIL", "is too high, the loss explodes: lower it to about 0.1"),
    (10.0, "constant", "FAIL", "Rough range to search: 0.0033 to 1"),
    (1.0, "cosine", "PASS", "suggested"),
    (3.0, "one_cycle", "INFO", "without a long warm-up"),
    (3.4, "one_cycle", "WARN", "too high"),
    (10.0, "triangle", "FAIL", "too high"),
    (0.004, "constant", "PASS", "suggested"),
    (0.002, "constant", "INFO", "a higher one may learn faster"),
    (0.0009, "constant", "WARN", "is too low, the loss barely changes: raise it"),
    (1e-6, "cosine", "WARN", "learning_rate 1e-06 in train.optimizer"),
]


@pytest.mark.parametrize("rate, schedule, verdict, words", RATES)
def test_learning_rate(rate: float, schedule: str, verdict: str, words: str) -> None:
    finding = judge_learning_rate(replace(HEALTHY["C14"], rate=rate, schedule=schedule))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


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
    finding = suggest(points, schedule != "constant")
    assert finding is not None
    numbers = replace(HEALTHY["C14"], points=points, schedule=schedule, rate=finding[0])
    assert judge_learning_rate(numbers).verdict == "PASS"


def test_beyond_a_scan_nothing_is_said() -> None:
    numbers = replace(HEALTHY["C14"], points=scan(-3, 1), rate=1000.0)
    finding = judge_learning_rate(numbers)
    assert (finding.verdict, "not judged" in finding.advice) == ("INFO", True)


@pytest.mark.parametrize(
    "points, verdict, words",
    [
        ([replace(POINT, finite=False)], "FAIL", "loss exploding at every rate"),
        (
            [replace(POINT, end_loss=2.3, accuracy=0.2)],
            "WARN",
            "but slowly. It needs more steps than the scan has",
        ),
        ([QUIET, replace(QUIET, rate=1.0)], "WARN", "from 0.1 to 1, yet accuracy reached 0.20"),
        ([QUIET, replace(QUIET, rate=1.0)], "WARN", "train.optimizer is too low, or it needs more"),
        ([QUIET, *bursts(1.0, 10.0)], "WARN", "hardly changed at any rate from 0.1 to 0.1, yet"),
        ([QUIET, replace(QUIET, end_loss=2.4, rate=1.0)], "WARN", "from 0.1 to 0.1, yet accuracy"),
        (
            [replace(QUIET, rate=0.01), *bursts(0.1)],
            "WARN",
            "is too high, the loss explodes at 0.1,",
        ),
        (
            [replace(QUIET, rate=0.001), *bursts(0.01)],
            "FAIL",
            "is too high, the loss explodes at 0.01,",
        ),
        ([replace(POINT, end_loss=2.3, accuracy=0.1)], "FAIL", "a plateau"),
        ([], "FAIL", "no rate to judge"),
    ],
)
def test_nothing_works(points: list[RatePoint], verdict: str, words: str) -> None:
    numbers = LearningRateScan(
        points=points, rate=0.1, schedule="constant", num_classes=10, chance=0.128
    )
    finding = judge_learning_rate(numbers)
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


def test_a_scan_that_ran_out_of_time() -> None:
    """It judges a rate that it reached, if that exploded or works; no other, and suggests none."""
    high = [replace(POINT, rate=rate, finite=False) for rate in (30.0, 10.0)]
    numbers = replace(HEALTHY["C14"], points=high, rate=0.1, steps=20, unfinished=True)
    assert judge_learning_rate(replace(numbers, unfinished=False)).verdict == "FAIL"
    works = replace(numbers, points=[*high, replace(POINT, rate=3.0)])
    for one, rate, verdict, words in [
        (numbers, 0.1, "INFO", "not judged: time ran out after 2 rates, from 10 to 30."),
        (numbers, 10.0, "WARN", "is too high, the loss explodes at 10 "),
        (numbers, 5.0, "INFO", "not judged"),
        (works, 0.1, "INFO", "not judged: time ran out after 3 rates, from 3 to 30."),
        (works, 3.0, "INFO", "the loss goes down. Whether others teach more is open"),
        (works, 30.0, "WARN", "the loss explodes at 10"),
        (replace(numbers, scale=0.5), 10.0, "WARN", "lower it, to 1 at first"),
    ]:
        finding = judge_learning_rate(replace(one, rate=rate))
        assert (finding.verdict, words in finding.advice) == (verdict, True), finding


def test_a_shortened_scan_fails_a_rate_only_where_one_like_it_exploded() -> None:
    """A loss that ends a little above the first may still come down after few steps."""
    points = [
        replace(one, end_loss=min(one.end_loss, 3.1), smoothed_max=min(one.smoothed_max, 3.5))
        for one in scan(-3, 0)
    ]
    numbers = replace(HEALTHY["C14"], points=points, rate=10.0)
    assert judge_learning_rate(numbers).verdict == "FAIL"
    numbers = replace(numbers, steps=49)
    finding = judge_learning_rate(numbers)
    assert (finding.verdict, "is not judged: after so few steps" in finding.advice) == (
        "INFO",
        True,
    )
    assert numbers.suggestion is None
    burst = [replace(one, smoothed_max=7.0) if one.rate == 10.0 else one for one in points]
    assert judge_learning_rate(replace(numbers, points=burst)).verdict == "FAIL"
    lost = [replace(one, finite=False) if one.rate == 10.0 else one for one in points]
    assert judge_learning_rate(replace(numbers, points=lost)).verdict == "FAIL"


@pytest.mark.parametrize(
    "points, verdict, sure",
    [
        ([replace(QUIET, accuracy=0.1)], "INFO", False),
        ([QUIET, *bursts(1.0)], "INFO", False),
        ([replace(QUIET, rate=0.001), *bursts(0.01)], "FAIL", True),
        (bursts(0.01), "FAIL", True),
        ([QUIET, *bursts(0.01)], "FAIL", True),
    ],
)
def test_few_steps_cannot_tell_a_plateau(points: list[RatePoint], verdict: str, sure: bool) -> None:
    """But what exploded did."""
    numbers = replace(HEALTHY["C14"], points=points, chance=0.128, steps=20)
    finding = judge_learning_rate(numbers)
    assert (finding.verdict, "too few" not in finding.advice) == (verdict, sure), finding


def test_a_shortened_scan_leaves_rates_that_barely_change_to_longer_ones() -> None:
    ends = {1e-3: 2.29, 1e-2: 2.2, 3.2e-2: 2.29, 1e-1: 2.31, 3.2e-1: 2.36, 10.0: 40.0}
    points = [
        replace(POINT, rate=rate, first_loss=2.3, end_loss=end, smoothed_max=max(end, 2.5))
        for rate, end in ends.items()
    ]
    numbers = replace(HEALTHY["C14"], points=points, schedule="cosine")
    for rate, steps, scale, verdict, words in [
        (0.1, 50, 1.0, "WARN", "lower it to about 0.0033"),
        (0.01, 49, 1.0, "PASS", "near the 0.0033 suggested"),
        (0.1, 49, 1.0, "INFO", "the loss goes down only at rates up to 0.01, but no rate up to"),
        (0.33, 49, 1.0, "INFO", "not judged: after so few steps"),
        (0.33, 50, 0.5, "INFO", "not judged: after so few steps"),
        (3.3, 50, 0.5, "INFO", "not judged: after so few steps"),
        (10.0, 49, 1.0, "FAIL", "the loss explodes"),
        (10.0, 50, 0.5, "WARN", "the loss explodes"),
        (20.0, 50, 0.5, "FAIL", "the loss explodes"),
    ]:
        scanned = replace(numbers, rate=rate, steps=steps, scale=scale)
        finding = judge_learning_rate(scanned)
        assert (finding.verdict, words in finding.advice) == (verdict, True), finding
        assert (scanned.suggestion is None) == ("not judged" in finding.advice)


@given(
    SCANS | PEAKED,
    st.lists(st.floats(1e-6, 300.0), min_size=2, max_size=2, unique=True).map(sorted),
    st.sampled_from(["constant", "cosine"]),
    st.sampled_from([20, 50]),
    st.sampled_from([0.5, 1.0]),
    st.sampled_from([0.0, 20.0]),
)
def test_no_higher_rate_is_judged_more_softly(
    points: list[RatePoint],
    rates: list[float],
    schedule: str,
    steps: int,
    scale: float,
    warmup: float,
) -> None:
    """Above what is suggested."""
    numbers = replace(
        HEALTHY["C14"], points=points, schedule=schedule, steps=steps, scale=scale, warmup=warmup
    )
    low, high = (judge_learning_rate(replace(numbers, rate=rate)) for rate in rates)
    suggested = low.details.get("suggested")
    assume(suggested is not None and rates[0] >= suggested)
    assert low.verdict <= high.verdict
