"""What a scan of learning rates tells."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.checks.healthy import scan
from tests.checks.scans import PEAKED, POINT, QUIET, SCANS, walked
from zoo.checks.judge.rates import (
    RatePoint,
    classify_point,
    classify_rates,
    largest_working,
    suggest,
)


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
    assert classify_point(replace(POINT, **changes)) == kind


def test_a_rate_works_only_with_all_seeds() -> None:
    bad = replace(POINT, seed=1, finite=False)
    slow = replace(POINT, seed=1, end_loss=2.3)
    assert classify_rates([POINT, bad]) == {0.1: "too high"}
    assert classify_rates([POINT, slow]) == {0.1: "too low"}


def test_a_network_that_died_does_not_work() -> None:
    """From 3.5 to ln 10, while answers are guesses."""
    fine = replace(POINT, first_loss=3.5, rate=0.01)
    dead = replace(POINT, first_loss=3.5, end_loss=2.31, smoothed_max=3.6, rate=1.0, accuracy=0.1)
    assert classify_rates([dead, fine], chance=0.13) == {0.01: "works", 1.0: "too high"}
    assert suggest([dead, fine], annealed=True, chance=0.13) == (0.01, (0.01 / 300, 0.01))


def test_a_rate_that_falls_as_far_as_those_that_work_works() -> None:
    """As resnet20's 0.1 after 50 steps of 32 images."""
    low = replace(POINT, rate=0.01, first_loss=2.305, end_loss=2.148, se=0.04)
    noisy = replace(low, rate=0.1, end_loss=2.156, se=0.06)
    assert classify_rates([low, noisy], 0.15) == {0.01: "works", 0.1: "works"}
    assert classify_rates([noisy], 0.15) == {0.1: "too low"}
    assert classify_rates([low, replace(noisy, accuracy=0.14)], 0.15)[0.1] == "too low"
    assert classify_rates([low, replace(noisy, end_loss=2.175)], 0.15)[0.1] == "too low"
    assert classify_rates([low, replace(noisy, se=0.08)], 0.15)[0.1] == "too low"
    fluke = replace(noisy, end_loss=1.9), replace(noisy, seed=1, end_loss=2.3)
    assert classify_rates([low, *fluke], 0.15)[0.1] == "too low"


def test_a_lucky_rate_above_those_that_explode_does_not_count() -> None:
    suggested = classify_rates([*scan(-3, 0), replace(POINT, rate=100.0)])
    assert largest_working(suggested) == 1.0


@given(PEAKED, st.booleans())
def test_the_range_to_search_holds_what_is_suggested(
    points: list[RatePoint], annealed: bool
) -> None:
    suggested = suggest(points, annealed, 0.11)
    assume(suggested is not None)
    rate, (low, high) = suggested
    assert low <= rate / 10
    assert rate <= high


@given(SCANS, st.booleans())
def test_suggestion_lies_in_what_was_scanned(points: list[RatePoint], annealed: bool) -> None:
    suggested = suggest(points, annealed)
    assert suggested is not None
    rate, (low, high) = suggested
    rates = [point.rate for point in points]
    assert min(rates) <= rate <= high <= max(rates)
    assert low <= rate / 10
    assert low <= high / 300


def test_a_dear_scan_goes_up_to_the_first_that_is_too_high_and_then_down() -> None:
    ends = {1e-3: 2.0, 1e-2: 1.8, 1e-1: 1.5, 1.0: 1.7, 10.0: 40.0, 100.0: 40.0}
    points = [
        replace(POINT, rate=rate, end_loss=end, smoothed_max=max(end, 2.3))
        for rate, end in ends.items()
    ]
    tried = [point.rate for point in walked(points, 0.2, annealed=True, chance=0.1)]
    assert tried == [0.1, 1.0, 10.0, 0.01]


def test_where_nothing_works_a_dear_scan_tries_all_that_are_not_too_high() -> None:
    rates = [10.0**power for power in range(-6, 3)]
    points = [replace(QUIET, rate=rate, finite=rate < 1) for rate in rates]
    tried = [point.rate for point in walked(points, 0.1, annealed=True, chance=0.1)]
    assert tried == pytest.approx([0.1, 1.0, 0.01, 1e-3, 1e-4, 1e-5, 1e-6])


def test_a_dear_scan_looks_below_rates_at_which_the_network_dies() -> None:
    dead = [replace(QUIET, rate=10 ** (half / 2), accuracy=0.1) for half in range(-5, 2)]
    fine = [replace(POINT, rate=10 ** (half / 2)) for half in range(-12, -5)]
    tried = walked([*dead, *fine], 3.0, annealed=True, chance=0.128)
    assert largest_working(classify_rates(tried, 0.128)) == pytest.approx(1e-3)


@pytest.mark.parametrize("annealed, expected", [(True, 0.1 / 3), (False, 0.01)])
def test_suggestion(annealed: bool, expected: float) -> None:
    suggested = suggest(scan(-4, -1), annealed)
    assert suggested is not None
    rate, search = suggested
    assert rate == pytest.approx(expected)
    assert search == pytest.approx((0.1 / 300, 0.1))


def test_nothing_is_suggested_where_nothing_works() -> None:
    assert suggest([replace(POINT, finite=False)], annealed=True) is None
    assert suggest([replace(POINT, end_loss=2.3)], annealed=True) is None


def test_an_annealed_rate_may_be_as_high_as_teaches_nearly_as_much() -> None:
    """Where it falls later, the best of a short scan at constant rates is too low."""
    ends = {1e-4: 1.9, 1e-3: 1.53, 3.2e-3: 1.55, 1e-2: 1.68, 1e-1: 2.0, 1.0: 40.0}
    points = [
        replace(POINT, rate=rate, first_loss=2.44, end_loss=end, smoothed_max=max(end, 2.5))
        for rate, end in ends.items()
    ]
    annealed, constant = (suggest(points, falls, 0.1) for falls in (True, False))
    assert annealed is not None
    assert constant is not None
    assert annealed[0] == pytest.approx(3.2e-3)
    assert constant[0] == pytest.approx((1e-3 * 3.2e-3) ** 0.5)
