"""C05, C06: the loss at the start."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.loss import (
    HeadConfidence,
    LossWiring,
    judge_head_confidence,
    judge_loss_wiring,
)

LN10 = log(10)
WIRING = HEALTHY["C05"]
WIRINGS = [
    ({"compiled": 8.76, "own": 2.72}, "FAIL", "softmax applied twice"),
    ({"compiled": 2.99 * 1.0009}, "PASS", "shuffled labels"),
    ({"compiled": 2.99 * 1.0011}, "FAIL", "disagree"),
    ({"compiled": 3.125, "own": 3.125}, "PASS", "shuffled labels"),
    ({"compiled": 3.14, "own": 3.14}, "WARN", "above the 2.97"),
    ({"compiled": 3.23, "own": 3.23}, "FAIL", "class order"),
    ({"compiled": 2.70, "own": 2.70}, "FAIL", "labels inside the images"),
    # Many standard errors, but of no size.
    ({"compiled": 2.98, "own": 2.98, "sd": 0.001}, "WARN", "above"),
    ({"compiled": 2.9701, "own": 2.9701, "sd": 1e-6}, "PASS", "shuffled"),
]


@pytest.mark.parametrize("changes, verdict, words", WIRINGS)
def test_wiring(changes: dict[str, float], verdict: str, words: str) -> None:
    finding = judge_loss_wiring(replace(WIRING, **changes))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


@pytest.mark.parametrize(
    "loss, at_zero, start, verdict",
    [
        ("softmax", LN10, LN10, "PASS"),
        ("softmax", LN10, LN10 + 2e-4, "PASS"),
        ("softmax", LN10, LN10 + 3e-4, "FAIL"),
        ("svm", 9.0, 9.0, "PASS"),
        ("svm", 9.0, 1.0, "FAIL"),  # Keras's CategoricalHinge.
    ],
)
def test_wiring_of_equal_scores(loss: str, at_zero: float, start: float, verdict: str) -> None:
    numbers = LossWiring(
        compiled=start, own=start, loss=loss, expected=at_zero, sd=0.0, num_classes=10,
        zero_logits=True,
    )  # fmt: skip
    assert judge_loss_wiring(numbers).verdict == verdict


@given(st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_farther_from_shuffled_is_no_better(one: float, other: float) -> None:
    low, high = (
        judge_loss_wiring(replace(WIRING, compiled=2.97 + off, own=2.97 + off)).verdict
        for off in sorted((one, other))
    )
    assert low <= high


# Loss and std of the logits as measured of ten-class networks at the start.
HEADS = [
    pytest.param(2.3026, 0.0, "PASS", id="zeros"),
    pytest.param(2.307, 0.12, "PASS", id="0.01"),
    pytest.param(2.75, 1.04, "INFO", id="FC256-BN-ReLU, glorot"),
    pytest.param(2.99, 1.23, "INFO", id="GAP, glorot"),
    pytest.param(3.52, 1.67, "WARN", id="flatten, glorot"),
    pytest.param(3.3, 2.1, "WARN", id="wide logits"),
    pytest.param(4.93, 2.68, "WARN", id="no BN, He"),
    pytest.param(487.0, 270.0, "FAIL", id="raw inputs without BN"),
    pytest.param(3.0, 5.1, "FAIL", id="absurd logits"),
]


@pytest.mark.parametrize("loss, spread, verdict", HEADS)
def test_heads(loss: float, spread: float, verdict: str) -> None:
    finding = judge_head_confidence(
        HeadConfidence(loss=loss, num_classes=10, logit_std=spread, at_zero=LN10)
    )
    assert finding.verdict == verdict
    if verdict != "PASS":
        assert "model.head.kernel_initializer" in finding.advice


def test_a_small_head_is_not_blamed() -> None:
    sure = HeadConfidence(loss=4.0, num_classes=10, logit_std=2.5, at_zero=LN10, head_gain=1.2)
    assert "model.head.kernel_initializer" in judge_head_confidence(sure).advice
    inputs = judge_head_confidence(replace(sure, head_gain=0.1)).advice
    assert "rms 25" in inputs
    assert "model.head.kernel_initializer" not in inputs
    assert "bias" in judge_head_confidence(replace(sure, head_gain=0.0)).advice


@given(
    st.floats(0.1, 20.0), st.floats(0.5, 6.0), st.floats(0.1, 10.0), st.sampled_from([0.5, 2.0, 9])
)
def test_heads_scale_with_the_loss_of_equal_scores(
    times: float, spread: float, at_zero: float, weighted: float
) -> None:
    one = HeadConfidence(
        loss=times * at_zero * weighted, num_classes=10, logit_std=spread, at_zero=at_zero,
        weighted=weighted,
    )  # fmt: skip
    other = replace(one, loss=times, at_zero=1.0, weighted=1.0)
    edges = (1.1, 1.5, 3.0)
    assume(min(abs(times - edge) for edge in edges) > 1e-6)
    assert judge_head_confidence(one).verdict is judge_head_confidence(other).verdict
