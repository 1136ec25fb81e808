"""When a trial is stopped because others were better at the same fraction of their training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.pruning import MIN_TRIALS_FOR_MEDIAN, REDUCTION_FACTOR, RUNGS, reason_to_prune, rungs

RULES = sorted(RUNGS)
SCORES = st.floats(0.0, 1.0)


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
