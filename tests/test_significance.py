"""Tests of differences between models, beside SciPy's and a count of all coin tosses."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zoo.significance import (
    EXACT_BELOW,
    accuracy_interval,
    f1_interval,
    holm,
    mcnemar,
    paired_interval,
    spread,
    welch,
    wilson,
)

COUNTS = st.integers(0, 400)
SCORES = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=2, max_size=6)
P_VALUES = st.lists(st.floats(0, 1), max_size=12)


@given(COUNTS, COUNTS)
def test_mcnemar_is_the_binomial_test_below_25_and_mid_p_from_there(a: int, b: int) -> None:
    found = mcnemar(a, b, a + b + 100)
    n, fewer = a + b, min(a, b)
    if n < EXACT_BELOW:
        assert found.method == "exact"
        expected = stats.binomtest(fewer, n).pvalue if n else 1.0
    else:
        assert found.method == "mid-p"
        coin = stats.binom(n, 0.5)
        expected = min(2 * coin.cdf(fewer) - coin.pmf(fewer), 1.0)
    assert found.p == pytest.approx(expected, abs=1e-12)
    assert found.difference == (b - a) / (a + b + 100)


@given(COUNTS, COUNTS, st.integers(1, 5000))
def test_mcnemar_turned_around(a: int, b: int, agreed: int) -> None:
    one, other = mcnemar(a, b, a + b + agreed), mcnemar(b, a, a + b + agreed)
    assert one.p == other.p
    assert one.difference == -other.difference
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert -1 <= one.low <= one.high <= 1


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_larger_difference_is_never_likelier_luck(a: int, b: int) -> None:
    """With as many images on which the models disagree."""
    fewer, more = sorted((a, b))
    if fewer:
        assert mcnemar(fewer - 1, more + 1, 200).p <= mcnemar(fewer, more, 200).p + 1e-12


@pytest.mark.parametrize(
    "a, b, p",
    [
        (0, 0, 1.0), (5, 5, 1.0), (1, 9, 22 / 1024), (0, 5, 2 / 32),
        (1, 7, 2 * (1 + 8) / 256),
    ],
)  # fmt: skip
def test_mcnemar_of_few_images(a: int, b: int, p: float) -> None:
    assert mcnemar(a, b, 100).p == pytest.approx(p)


@pytest.mark.parametrize("numbers", [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_mcnemar_refuses_impossible_counts(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="must hold, but got only_first="):
        mcnemar(*numbers)


def test_paired_interval_by_hand() -> None:
    """p1 = 2/23, p2 = 8/23: 6/23 -+ 1.96 sqrt((10/23 - (6/23)^2) / 23) = 0.2609 -+ 0.2475."""
    assert paired_interval(1, 7, 21) == pytest.approx((0.0134, 0.5084), abs=1e-4)


def test_paired_interval_covers_the_truth_in_19_of_20_draws() -> None:
    import numpy as np

    shares = [0.07, 0.03, 0.9]  # The second model is 4 points worse.
    draws = np.random.default_rng(0).multinomial(360, shares, 2000)
    ends = [paired_interval(int(a), int(b), 360) for a, b, _ in draws]
    covered = fmean(low <= shares[1] - shares[0] <= high for low, high in ends)
    assert 0.94 < covered < 0.975


@given(SCORES, SCORES)
def test_welch_is_scipys(one: list[float], other: list[float]) -> None:
    if len({*one}) > 1 and len({*other}) > 1:  # SciPy warns of equal scores.
        assert welch(one, other) == pytest.approx(
            stats.ttest_ind(one, other, equal_var=False).pvalue, abs=1e-9
        )
    assert welch(one, other) == welch(other, one)


@pytest.mark.parametrize(
    "one, other, p",
    [([0.9], [0.1, 0.2], None), ([0.9, 0.9], [0.8, 0.8], 0.0), ([0.3, 0.1 + 0.2], [0.3, 0.3], 1.0)],
)
def test_welch_without_spread(one: list[float], other: list[float], p: float | None) -> None:
    assert welch(one, other) == p


@given(SCORES)
def test_spread_is_scipys_interval(values: list[float]) -> None:
    found = spread(values)
    assert found.mean == fmean(values)
    assert found.sd is not None
    if found.sd > 0:
        expected = stats.t.interval(0.95, len(values) - 1, found.mean, stats.sem(values))
        assert (found.low, found.high) == pytest.approx(expected)


def test_spread_of_one_has_no_interval() -> None:
    found = spread([0.5])
    assert (found.count, found.mean, found.sd, found.low, found.high) == (1, 0.5, None, None, None)
    with pytest.raises(ValueError, match="at least one"):
        spread([])


@given(P_VALUES)
def test_holm_lies_between_the_p_value_and_bonferroni(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(len(p_values) * p, 1.0) + 1e-12
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [corrected[index] for index in order] == sorted(corrected)


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order(p_values: list[float], random: object) -> None:
    order = list(range(len(p_values)))
    shuffle: Callable[[list[int]], None] = random.shuffle  # type: ignore[attr-defined]
    shuffle(order)
    shuffled = holm([p_values[index] for index in order])
    assert shuffled == [holm(p_values)[index] for index in order]


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_holm_keeps_its_level() -> None:
    """Of three true hypotheses, any is rejected about once in twenty."""
    import random

    drawn = random.Random(2)
    families = [holm([drawn.random() for _ in range(3)]) for _ in range(4000)]
    share = sum(min(family) < 0.05 for family in families) / len(families)
    assert math.isclose(share, 0.05, abs_tol=0.012)


@given(COUNTS, COUNTS)
def test_wilson_is_scipys(hits: int, misses: int) -> None:
    total = hits + misses
    expected = (0.0, 1.0)
    if total:
        interval = stats.binomtest(hits, total).proportion_ci(method="wilson")
        expected = (interval.low, interval.high)
    assert wilson(hits, total) == pytest.approx(expected, abs=1e-12)


def test_interval_of_an_accuracy() -> None:
    assert accuracy_interval(0.77, 100) == wilson(77, 100)
    assert accuracy_interval(None, 100) is None
    assert accuracy_interval(0.77, 0) is None


@given(COUNTS, COUNTS)
def test_f1_interval_is_that_of_the_share_behind_it(hits: int, others: int) -> None:
    low, high = f1_interval(hits, others)
    shares = tuple(f1 / (2 - f1) for f1 in (low, high))  # The reverse of F1 = 2J / (1 + J).
    assert shares == pytest.approx(wilson(hits, hits + others), abs=1e-12)
    if hits + others:
        assert low <= 2 * hits / (2 * hits + others) <= high + 1e-12
