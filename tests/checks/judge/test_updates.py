"""C15 on plain numbers."""

from __future__ import annotations

import pytest

from zoo.checks.judge.updates import KernelUpdate, UpdateRatio, judge_update_ratio, kernel_length

UPDATES = [
    ((1e-3, None, False), "PASS", "around 0.001"),
    ((1e-4, None, False), "PASS", "around"),
    ((1e-2, None, False), "PASS", "around"),
    ((0.012, None, False), "INFO", "no fault by itself"),  # Adam's first steps.
    ((0.031, None, False), "WARN", "lower learning_rate (0.1)"),
    ((0.31, None, False), "FAIL", "lower learning_rate"),
    ((5e-5, None, False), "INFO", "raise"),
    ((5e-6, None, False), "WARN", "raise learning_rate"),
    ((5e-7, None, False), "FAIL", "raise learning_rate"),
    ((7.3e-3, 7.3e-3, True), "PASS", "around"),
    ((0.03, 7.3e-3, True), "INFO", "no fault"),
    ((0.036, 7.3e-3, True), "INFO", "no fault"),
    ((0.037, 7.3e-3, True), "WARN", "lower"),
    ((0.31, 7.3e-3, True), "FAIL", "lower"),
    ((0.31, 0.07, True), "INFO", "no fault"),
    ((0.0, None, False), "FAIL", "raise"),
]


@pytest.mark.parametrize("kernel, verdict, words", UPDATES)
def test_update_ratio(kernel: tuple[float, float | None, bool], verdict: str, words: str) -> None:
    ratio, equilibrium, scale_invariant = kernel
    layer = KernelUpdate(
        path="conv1/kernel", ratio=ratio, equilibrium=equilibrium, scale_invariant=scale_invariant
    )
    finding = judge_update_ratio(UpdateRatio(layers=[layer], learning_rate=0.1))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding
    finding = judge_update_ratio(UpdateRatio(layers=[layer], learning_rate=0.1, shortened=True))
    # The first updates are the largest: if those are too small, all are.
    softer = {"FAIL": "WARN", "WARN": "INFO"} if ratio > 1e-2 else {}
    assert finding.verdict == softer.get(verdict, verdict)
    assert ("Too few steps" in finding.advice) == (verdict != "PASS" and ratio > 1e-2)


def test_one_kernel_of_many_is_no_failure() -> None:
    fine, odd = KernelUpdate(path="a", ratio=1e-3), KernelUpdate(path="b", ratio=0.5)
    for layers in ([fine, fine, odd], [odd, fine, fine]):
        finding = judge_update_ratio(UpdateRatio(layers=layers, learning_rate=0.1))
        assert finding.verdict == "WARN"
        assert "by 0.5 of its norm" in finding.advice
    assert judge_update_ratio(UpdateRatio(layers=[odd, fine], learning_rate=0.1)).verdict == "FAIL"
    assert judge_update_ratio(UpdateRatio(layers=[], learning_rate=0.1)).verdict == "PASS"


def test_a_head_begins_near_zero() -> None:
    """Beside N(0, 0.01) every useful update is large; beside what it grows to, it is not."""
    assert kernel_length("logits/kernel", 0.44, 10) == pytest.approx(10**0.5)
    assert kernel_length("logits/kernel", 4.0, 10) == 4.0
    assert kernel_length("logits/kernel", 0.0, 10) == 0.0
    assert kernel_length("conv1/kernel", 0.44, 10) == 0.44
