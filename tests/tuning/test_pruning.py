"""When a trial is stopped because others were better at the same fraction of their training."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning import pruning
from tuning.pruning import MIN_TRIALS_FOR_MEDIAN, REDUCTION_FACTOR, RUNGS, RungScores, rungs

RULES = sorted(RUNGS)
SCORES = st.floats(0.0, 1.0)


def reason_to_prune(rule: str, score: float, others: list[float], guessing: float) -> str | None:
    """Why a trial is pruned that is compared with others of these scores."""
    scores = RungScores(rule)
    for other in others:
        scores.add(other)
    return pruning.reason_to_prune(rule, score, scores.limit(), guessing)


@given(st.sampled_from(RULES), st.integers(1, 10_000))
def test_rungs_lie_inside_the_training(rule: str, steps: int) -> None:
    steps_of_rungs = rungs(rule, steps)
    assert steps_of_rungs == sorted(set(steps_of_rungs))
    assert all(0 < step < steps for step in steps_of_rungs)
    assert len(steps_of_rungs) <= len(RUNGS[rule])


def test_rungs_by_rule() -> None:
    assert rungs("median", 100) == [20, 40, 60, 80]
    assert rungs("asha", 90) == [10, 30]
    assert rungs("none", 100) == []
    assert rungs("median", 3) == [1, 2]


@given(st.sampled_from(RULES), st.lists(SCORES, max_size=12), SCORES)
def test_the_best_goes_on(rule: str, others: list[float], bar: float) -> None:
    assert reason_to_prune(rule, max(others, default=0.0), others, bar) is None


@given(st.sampled_from(RULES), SCORES, st.lists(SCORES, max_size=12))
def test_a_better_score_is_stopped_no_earlier(rule: str, score: float, others: list[float]) -> None:
    if reason_to_prune(rule, score, others, 0.1) is None:
        assert reason_to_prune(rule, score + 0.1, others, 0.1) is None


@given(st.sampled_from(RULES), SCORES, st.lists(SCORES, max_size=12))
def test_nothing_is_stopped_while_others_guess(
    rule: str, score: float, others: list[float]
) -> None:
    assert reason_to_prune(rule, score, others, guessing=1.0) is None


@given(st.sampled_from(["median", "asha"]), st.lists(st.floats(-3.0, 3.0), max_size=40))
def test_the_limit_is_that_of_all_scores_sorted(rule: str, scores: list[float]) -> None:
    """After each score, to the bit; and equal scores count as often as they come."""
    running = RungScores(rule)
    for count, score in enumerate([*scores, *scores[:3]], 1):
        running.add(score)
        so_far = sorted([*scores, *scores[:3]][:count], reverse=True)
        limit = running.limit()
        if count < (5 if rule == "median" else 3):
            assert limit is None
            continue
        expected = median(so_far) if rule == "median" else so_far[count // 3 - 1]
        assert limit is not None
        assert (limit.score, limit.rivals) == (expected, count)


class Counted(float):
    """A score that counts how often scores are compared."""

    comparisons = 0

    def __lt__(self, other: float) -> bool:
        Counted.comparisons += 1
        return float(self) < float(other)

    def __neg__(self) -> Counted:
        return Counted(-float(self))


@pytest.mark.parametrize("rule", ["median", "asha"])
def test_a_limit_costs_no_more_after_many_scores(rule: str) -> None:
    """Comparisons of scores a trial, which a sort of all scores would need thousands of."""
    scores = RungScores(rule)
    for index in range(4000):
        Counted.comparisons = 0
        scores.add(Counted(index * 7919 % 4001))
        scores.limit()
        assert Counted.comparisons <= 3 * 2 * 12  # Three heap operations, of two a level.


def test_below_the_median() -> None:
    others = [0.1, 0.5, 0.6, 0.7, 0.8]
    why = reason_to_prune("median", 0.59, others, 0.1)
    assert why == "0.59 is below the median of 5, 0.6"
    assert reason_to_prune("median", 0.6, others, 0.1) is None
    assert reason_to_prune("median", 0.0, others[: MIN_TRIALS_FOR_MEDIAN - 1], 0.1) is None
    assert reason_to_prune("none", 0.0, others, 0.1) is None


def test_outside_of_the_best_third() -> None:
    others = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    why = reason_to_prune("asha", 0.49, others, 0.1)
    assert why == "0.49 is below the best third of 6, 0.5"
    assert reason_to_prune("asha", 0.5, others, 0.1) is None
    assert reason_to_prune("asha", 0.0, others[: REDUCTION_FACTOR - 1], 0.1) is None
    assert reason_to_prune("asha", 0.0, [0.5, 0.6, 0.7], 0.1) is not None


@pytest.mark.parametrize("rule", ["median", "asha"])
def test_losses_are_scores_below_zero(rule: str) -> None:
    others = [-2.0, -1.5, -1.0, -0.8, -0.5]
    assert reason_to_prune(rule, -1.8, others, guessing=-2.3) is not None
    assert reason_to_prune(rule, -0.4, others, guessing=-2.3) is None
    assert reason_to_prune(rule, -1.8, others, guessing=-0.4) is None
