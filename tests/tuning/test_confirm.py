"""Trials over fresh seeds: which differ, and what is said of them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tests.tuning.records import record
from tuning.confirm import Confirmed, differ, messages, over_fresh_seeds, ranked
from tuning.refine.edges import ScoredTrial

SCORES = st.lists(st.integers(0, 1000), min_size=2, max_size=6)


def confirmed(*scores: float, trial: str = "") -> Confirmed:
    return Confirmed({}, scores, trial)


@given(SCORES, SCORES)
def test_differ_is_scipys_welch_test(one: list[int], other: list[int]) -> None:
    assume(len({*one}) > 1 and len({*other}) > 1)  # SciPy warns of equal scores.
    a, b = ([score / 1000 for score in scores] for scores in (one, other))
    p = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert differ(confirmed(*a), confirmed(*b)) is bool(p < 0.05)
    assert differ(confirmed(*b), confirmed(*a)) is bool(p < 0.05)


def test_equal_trials_differ_once_in_twenty() -> None:
    """Welch's test is somewhat cautious at three seeds."""
    drawn = random.Random(1)
    pairs = [[[drawn.gauss(0.9, 0.01) for _ in range(3)] for _ in range(2)] for _ in range(2000)]
    share = sum(differ(confirmed(*a), confirmed(*b)) for a, b in pairs) / len(pairs)
    assert 0.02 < share < 0.06


@pytest.mark.parametrize(
    "one, other, apart",
    [
        ((0.9, 0.9, 0.9), (0.9, 0.9, 0.9), False),
        ((0.9, 0.9, 0.9), (0.8, 0.8, 0.8), True),
        ((0.1 + 0.2, 0.3), (0.3, 0.3), False),
        ((0.9,), (0.1, 0.1), False),
        ((0.9,), (0.1,), False),
        ((0.9, 0.91), (0.9, -math.inf), True),
        ((math.nan, 0.91), (0.9, -math.inf), False),
        ((0.0, 0.0), (0.0, 0.0), False),
        ((0.9, 0.9, 0.9), (0.8, 0.85, 0.9), False),
        ((0.9, 0.9, 0.9), (0.80, 0.81, 0.82), True),
    ],
)
def test_scores_without_spread(one: tuple[float], other: tuple[float], apart: bool) -> None:
    assert differ(confirmed(*one), confirmed(*other)) is apart


def test_mean_and_spread() -> None:
    one = confirmed(0.97, 0.98, 0.99)
    assert one.mean == pytest.approx(0.98)
    assert one.sd == pytest.approx(0.01)
    assert confirmed(0.5).sd is None
    bad = confirmed(0.9, math.nan)
    assert (bad.mean, bad.sd, bad.diverged) == (-math.inf, None, 1)


def test_ranked_by_mean_and_a_diverged_seed_is_last() -> None:
    trials = [confirmed(0.99, -math.inf), confirmed(0.8, 0.9), confirmed(0.9, 0.9)]
    assert ranked(trials) == [trials[2], trials[1], trials[0]]
    equal = [confirmed(0.5, trial="a"), confirmed(0.5, trial="b")]
    assert ranked(equal) == equal


def test_messages() -> None:
    trials = [
        confirmed(0.90, 0.91, 0.92, trial="coarse-030"),
        confirmed(0.975, 0.980, 0.982, trial="fine-002"),
        confirmed(0.976, 0.980, 0.981, trial="coarse-007"),
        confirmed(0.98, math.nan, 0.97, trial="fine-001"),
    ]
    assert messages(trials, ScoredTrial({}, 0.9833, trial="fine-002"), 48) == [
        "trial fine-002: 0.9790 ± 0.0036 over 3 seeds",
        "trial coarse-007: 0.9790 ± 0.0026 over 3 seeds",
        "trial coarse-030: 0.9100 ± 0.0100 over 3 seeds",
        "trial fine-001: diverged with 1 of 3 seeds",
        "these two cannot be told apart: fine-002 and coarse-007",
        "0.9833 in the search was the luckiest of 48 draws; over fresh seeds it is 0.9790",
    ]


def test_a_best_score_that_is_reached_again_is_no_luck() -> None:
    one = confirmed(0.9, trial="fine-000")
    assert messages([one], ScoredTrial({}, 0.9, trial="fine-000"), 9) == [
        "trial fine-000: 0.9000 with one seed"
    ]
    assert messages([one], ScoredTrial({}, 0.99, trial="fine-009"), 9) == messages([one])
    assert messages([]) == []


def test_losses_are_turned_back() -> None:
    one = confirmed(-0.3, -0.5, trial="fine-000")
    lines = messages(
        [one], ScoredTrial({}, -0.2, trial="fine-000"), 9, lambda score: f"{-score:.2f}"
    )
    assert lines == [
        "trial fine-000: 0.40 ± 0.1414 over 2 seeds",
        "0.20 in the search was the luckiest of 9 draws; over fresh seeds it is 0.40",
    ]


def test_no_score() -> None:
    with pytest.raises(ValueError, match="must hold one per seed, but trial 'x' has none"):
        confirmed(trial="x")


def test_only_trials_with_the_most_seeds_are_compared() -> None:
    best = [record("fine-000", values={"a": 1}), record("fine-001", values={"a": 2})]
    first = record("confirm-fine-000-1", score=0.25)
    second = record("confirm-fine-000-2", score=None, status="diverged")
    other = record("confirm-fine-001-1", score=0.75)
    assert over_fresh_seeds(best, [], 2, "val_loss") == []
    assert over_fresh_seeds(best, [other, first], 2, "val_loss") == [
        Confirmed({"a": 1}, (-0.25,), "fine-000"),
        Confirmed({"a": 2}, (-0.75,), "fine-001"),
    ]
    assert over_fresh_seeds(best, [other, first, second], 2, "val_accuracy") == [
        Confirmed({"a": 1}, (0.25, -math.inf), "fine-000")
    ]
