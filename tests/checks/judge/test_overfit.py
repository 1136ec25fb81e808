"""C12: a network memorizes a few images."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.overfit import judge_overfit, smoothing_floor, softmax_twice

OVERFIT = HEALTHY["C12"]


@pytest.mark.parametrize("classes, plateau", [(2, 0.313), (10, 1.4612), (100, 3.622)])
def test_plateau_of_two_softmaxes(classes: int, plateau: float) -> None:
    assert softmax_twice(classes) == pytest.approx(plateau, abs=5e-4)


@pytest.mark.parametrize("smoothing, floor", [(0.0, 0.0), (0.1, 0.5003), (0.2, 0.8669)])
def test_floor_of_smoothed_labels(smoothing: float, floor: float) -> None:
    assert smoothing_floor(10, smoothing) == pytest.approx(floor, abs=5e-5)


@given(st.integers(2, 1000), st.floats(1e-6, 0.99))
def test_floor_is_an_entropy(classes: int, smoothing: float) -> None:
    assert 0 < smoothing_floor(classes, smoothing) <= math.log(classes) + 1e-9


OVERFITS = [
    ({"loss": 0.01}, "PASS", None, "nice"),
    ({"loss": 0.011}, "WARN", "slow", "slowly"),
    ({"loss": 0.1}, "WARN", "slow", "slowly"),
    ({"loss": 0.101}, "FAIL", "slow", "still 0.101"),
    ({"loss": 0.3, "penalty": 0.35}, "FAIL", "regulariser", "kernel_regularizer"),
    ({"loss": 1.4612}, "FAIL", "softmax twice", "train.loss"),
    ({"loss": 0.5003, "label_smoothing": 0.1}, "FAIL", "label smoothing", "label_smoothing"),
    ({"loss": 0.8669, "label_smoothing": 0.2}, "FAIL", "label smoothing", "still on"),
    ({"loss": 2.3026, "accuracy": 0.1}, "FAIL", "nothing learned", "data.source"),
    ({"loss": 0.9, "noise": 0.2}, "FAIL", "noise", "dropout or another noise"),
    ({"loss": 9.0, "accuracy": 0.1, "loss_word": "svm"}, "FAIL", "nothing learned",
     "uniform predictions"),
    ({"loss": 1.4612, "accuracy": 0.4}, "FAIL", "cannot fit", "model.stack"),
    ({"loss": math.nan, "accuracy": 0.1}, "FAIL", "diverged", "learning_rate in train.optimizer"),
    ({"diverged": True}, "FAIL", "diverged", "nan almost always means"),
    ({"loss": 92.0, "accuracy": 0.1}, "FAIL", "too high a rate", "rose from 2.3"),
    ({"loss": 0.139, "floor": 0.139, "accuracy": 0.9, "conflicting": 2}, "WARN", "labels",
     "another class"),
    ({"loss": 0.7, "floor": 0.139, "accuracy": 0.9, "conflicting": 2}, "FAIL", "labels",
     "2 of 20 images"),
    ({"loss": 0.005, "loss_word": "svm"}, "PASS", None, "nice"),
]  # fmt: skip


@pytest.mark.parametrize("changes, verdict, plateau, words", OVERFITS)
def test_overfit(changes: dict[str, object], verdict: str, plateau: str | None, words: str) -> None:
    finding = judge_overfit(replace(OVERFIT, **changes))
    assert (finding.verdict, finding.details.get("plateau")) == (verdict, plateau), finding
    assert words in finding.advice


@pytest.mark.parametrize("changes, verdict, plateau, words", OVERFITS)
def test_too_few_steps_fail_only_what_they_prove(
    changes: dict[str, object], verdict: str, plateau: str | None, words: str
) -> None:
    finding = judge_overfit(replace(OVERFIT, shortened=True, **changes))
    softer = {"FAIL": "WARN", "WARN": "INFO"} if plateau not in ("noise", "labels") else {}
    assert finding.verdict == softer.get(verdict, verdict)
    assert finding.details.get("plateau") == plateau
    assert finding.advice.endswith("Too few steps to be sure.") == (verdict != finding.verdict)
    assert words in finding.advice


@given(st.floats(0, 50), st.floats(0, 50))
def test_higher_losses_are_no_better(one: float, other: float) -> None:
    low, high = (judge_overfit(replace(OVERFIT, loss=x)).verdict for x in sorted((one, other)))
    assert low <= high


def test_a_plateau_at_equal_scores_of_a_wide_margin() -> None:
    """Margin 10 and ten classes: equal scores give 90, not 9."""
    stuck = replace(
        HEALTHY["C12"], accuracy=0.1, loss=90.0, initial_loss=91.0, loss_word="svm", at_start=90.0
    )
    assert judge_overfit(stuck).details["plateau"] == "nothing learned"
