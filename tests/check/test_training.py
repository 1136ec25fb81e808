"""C12, C13, C16: what a short training shows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.check.healthy import HEALTHY
from zoo.check.judge.chance import guessing_bound
from zoo.check.judge.overfit import judge_overfit, smoothing_floor, softmax_twice
from zoo.check.judge.short_training import (
    InputIndependent,
    ShortTrainingAccuracy,
    judge_better_than_guessing,
    judge_input_independent,
)

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
    ({"loss": 0.011}, "WARN", "slow", "nearly"),
    ({"loss": 0.1}, "WARN", "slow", "nearly"),
    ({"loss": 0.101}, "FAIL", "slow", "still 0.101"),
    ({"loss": 0.3, "penalty": 0.35}, "FAIL", "regulariser", "kernel_regularizer"),
    ({"loss": 1.4612}, "FAIL", "softmax twice", "train.loss"),
    ({"loss": 0.5003, "label_smoothing": 0.1}, "FAIL", "label smoothing", "label_smoothing"),
    ({"loss": 0.8669, "label_smoothing": 0.2}, "FAIL", "label smoothing", "still on"),
    ({"loss": 2.3026, "accuracy": 0.1}, "FAIL", "nothing learned", "data.source"),
    ({"loss": 0.9, "noise": 0.2}, "FAIL", "noise", "dropout or another noise"),
    ({"loss": 9.0, "accuracy": 0.1, "loss_word": "svm"}, "FAIL", "nothing learned", "equal scores"),
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
    found = judge_overfit(replace(OVERFIT, **changes))
    assert (found.verdict, found.details.get("plateau")) == (verdict, plateau), found
    assert words in found.advice


@pytest.mark.parametrize("changes, verdict, plateau, words", OVERFITS)
def test_too_few_steps_fail_only_what_they_prove(
    changes: dict[str, object], verdict: str, plateau: str | None, words: str
) -> None:
    found = judge_overfit(replace(OVERFIT, shortened=True, **changes))
    softer = {"FAIL": "WARN", "WARN": "INFO"} if plateau not in ("noise", "labels") else {}
    assert found.verdict == softer.get(verdict, verdict)
    assert found.details.get("plateau") == plateau
    assert found.advice.endswith("too few steps to be sure.") == (verdict != found.verdict)
    assert words in found.advice


@given(st.floats(0, 50), st.floats(0, 50))
def test_higher_losses_are_no_better(one: float, other: float) -> None:
    low, high = (judge_overfit(replace(OVERFIT, loss=x)).verdict for x in sorted((one, other)))
    assert low <= high


@pytest.mark.parametrize(
    "loss, verdict, words",
    [
        (2.23, "PASS", "below"),
        (2.25, "FAIL", "the network ignores its input"),
        (2.4, "FAIL", "learning_rate in train.optimizer"),
    ],
)
def test_input_independent(loss: float, verdict: str, words: str) -> None:
    found = judge_input_independent(InputIndependent(loss=loss, entropy=2.3, se=0.02))
    assert (found.verdict, words in found.advice) == (verdict, True)
    found = judge_input_independent(
        InputIndependent(loss=loss, entropy=2.3, se=0.02, shortened=True)
    )
    assert found.verdict == ("PASS" if verdict == "PASS" else "WARN")
    assert ("too few steps" in found.advice) == (verdict == "FAIL")


@pytest.mark.parametrize("accuracy, verdict", [(0.19, "WARN"), (0.129, "WARN"), (0.12, "FAIL")])
def test_a_slow_start_is_no_blindness(accuracy: float, verdict: str) -> None:
    """1,000 images of ten classes: guessing stays below 0.128."""
    numbers = InputIndependent(
        loss=2.304, entropy=2.303, se=0.001, accuracy=accuracy, majority=0.1, images=1000
    )
    assert judge_input_independent(numbers).verdict == verdict
    found = judge_input_independent(replace(numbers, shortened=True))
    assert found.verdict == {"FAIL": "WARN", "WARN": "INFO"}[verdict]
    assert (
        judge_input_independent(replace(numbers, shortened=True, loss=math.nan)).verdict == "FAIL"
    )


@pytest.mark.parametrize(
    "accuracy, majority, verdict, words",
    [
        (0.129, 0.1, "PASS", "after 300"),
        (0.128, 0.1, "FAIL", "no better than guessing"),
        (0.9, 0.9, "WARN", "train.class_weight: balanced"),
        (0.93, 0.9, "PASS", "after 300"),
        (1.0, 0.9999, "PASS", "after 300"),
    ],
)
def test_smoke(accuracy: float, majority: float, verdict: str, words: str) -> None:
    numbers = ShortTrainingAccuracy(accuracy=accuracy, images=1000, majority=majority, steps=300)
    found = judge_better_than_guessing(numbers)
    assert (found.verdict, words in found.advice) == (verdict, True)
    found = judge_better_than_guessing(replace(numbers, shortened=True))
    assert found.verdict == {"FAIL": "WARN", "WARN": "INFO"}.get(verdict, verdict)
    assert found.advice.endswith("too few steps to be sure.") == (verdict != "PASS")


def test_what_guessing_stays_below() -> None:
    assert guessing_bound(0.1, 1000) == pytest.approx(0.128, abs=5e-4)


def test_a_plateau_at_equal_scores_of_a_wide_margin() -> None:
    """Margin 10 and ten classes: equal scores give 90, not 9."""
    stuck = replace(
        HEALTHY["C12"], accuracy=0.1, loss=90.0, initial_loss=91.0, loss_word="svm", at_start=90.0
    )
    assert judge_overfit(stuck).details["plateau"] == "nothing learned"
