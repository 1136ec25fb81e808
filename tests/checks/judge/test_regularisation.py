"""C07: penalties and weight decay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.regularisation import judge_regularisation

DECAY = HEALTHY["C07"]
DECOUPLED = {
    "total": 2.3026, "total_times_ten": 2.3026, "penalty_kernels": 0, "decay": "decoupled",
    "shrink_measured": 0.9995, "shrink_expected": 0.9995, "learning_rate": 0.1,
    "weight_decay": 5e-3, "steps_per_epoch": 352,
}  # fmt: skip
DECAYS = [
    ({}, "PASS", "raises the loss from 2.303 by 0.01, good"),
    # The lecture's: lambda 1000 on kernels of 0.0001 takes the loss from 2.30 to 3.07.
    ({"total": 3.073, "total_times_ten": 10.0066}, "PASS", "by 0.77"),
    # cs231n-two-layer: a few steps of float32.
    ({"total": 2.3026009, "total_times_ten": 2.3026076, "penalty": 7.7e-7}, "PASS", "raises"),
    ({"total": 2.3026, "total_times_ten": 2.3026, "penalty": 1e-9}, "INFO", "too little"),
    ({"total": 2.3026, "total_times_ten": 2.3026}, "FAIL", "does not reach training"),
    ({"total_times_ten": 2.3126}, "FAIL", "not ten times"),
    ({"total": 4.6, "total_times_ten": 25.2766}, "PASS", "good"),
    ({"total": 6.9078, "total_times_ten": 48.3546}, "WARN", "kernel_regularizer"),
    ({"total": 6.9078, "total_times_ten": 48.3546, "scale_invariant": True}, "INFO", "lower l2"),
    ({"total": 32.3026, "total_times_ten": 302.3026}, "FAIL", "half of the lecture's lambda"),
    ({"total": 32.3026, "total_times_ten": 302.3026, "scale_invariant": True}, "WARN", "l2"),
    ({"total": 6.9078, "total_times_ten": 48.3546, "strengths": ["l1"]}, "WARN", "lower l1 of"),
    ({"wrongly_decayed": ["conv1_bn/gamma"]}, "WARN", "decay shrinks conv1_bn/gamma"),
    ({"penalty_kernels": 2}, "INFO", "2 of 3 kernels"),
    ({"penalty_kernels": 0, "decay": "none"}, "INFO", "no regularisation"),
    (DECOUPLED, "PASS", "as it should"),
    ({**DECOUPLED, "shrink_measured": 1.0}, "FAIL", "does not shrink the kernels"),
    ({**DECOUPLED, "shrink_measured": 0.999494}, "FAIL", "does not shrink the kernels"),
    ({**DECOUPLED, "weight_decay": 0.05}, "WARN", "exp(-1.8)"),
    ({**DECOUPLED, "weight_decay": 0.5}, "FAIL", "weight_decay of train.optimizer"),
    # Below float32's resolution nothing can be seen of a step.
    ({**DECOUPLED, "shrink_measured": 1.0, "shrink_expected": 1 - 1e-6}, "PASS", "as it should"),
]


@pytest.mark.parametrize("changes, verdict, words", DECAYS)
def test_regularisation(changes: dict[str, object], verdict: str, words: str) -> None:
    finding = judge_regularisation(replace(DECAY, **changes))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


@given(st.floats(1e-3, 100.0), st.floats(1e-3, 100.0))
def test_heavier_penalties_are_no_better(one: float, other: float) -> None:
    low, high = (
        judge_regularisation(
            replace(DECAY, total=2.3026 + add, total_times_ten=2.3026 + 10 * add)
        ).verdict
        for add in sorted((one, other))
    )
    assert low <= high
