"""C01, C02: inputs and statistics."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.data import InputScale, judge_input_scale, judge_statistics

PIXELS = {"mean": [120.0] * 3, "std": [63.0] * 3, "max_abs": 255.0}
CENTRED = {"mean": [0.1] * 3, "std": [62.0] * 3, "max_abs": 140.0}
SCALES = [
    pytest.param({"mean": [0.47] * 3, "std": [0.25] * 3, "max_abs": 1.0}, True, None, "INFO",
                 "not zero-centred", id="scale01"),
    pytest.param({"mean": [-0.05] * 3, "std": [0.5] * 3, "max_abs": 1.0}, False, None, "PASS",
                 "centred", id="scale11"),
    pytest.param({"mean": [0.25], "std": [0.25], "max_abs": 4.0}, False, None, "PASS", "centred",
                 id="both edges"),
    pytest.param({"mean": [0.0], "std": [4.1], "max_abs": 19.0}, False, None, "INFO", "make it 1",
                 id="wide"),
    pytest.param(PIXELS, False, None, "FAIL", "as raw pixels of 0 to 255 are: use data",
                 id="raw"),
    pytest.param(PIXELS, False, 0.7, "FAIL", "data.preprocess", id="raw, small kernels"),
    pytest.param(PIXELS, True, 180.0, "WARN", "statistics start far off", id="raw before a norm"),
    pytest.param(CENTRED, True, 80.0, "INFO", "norm follows", id="center-only before a norm"),
    pytest.param(CENTRED, False, 0.34, "INFO", "std 0.34", id="cs231n-two-layer"),
    pytest.param(CENTRED, False, 12.0, "INFO", "centred", id="AlexNet"),
    pytest.param(CENTRED, False, 88.0, "WARN", "kernel_initializer", id="center-only, he_normal"),
    pytest.param(CENTRED, False, 400.0, "FAIL", "kernel_initializer", id="far too large kernels"),
    pytest.param(CENTRED, False, None, "WARN", "no norm follows", id="not known"),
    pytest.param({"mean": [0.0018], "std": [0.001], "max_abs": 0.004}, False, None, "WARN",
                 "scaled twice", id="scaled twice"),
    pytest.param({"mean": [0.95], "std": [0.2], "max_abs": 1.0}, False, None, "WARN",
                 "std away from 0", id="white paper"),
    pytest.param({"mean": [0.3], "std": [0.0], "max_abs": 0.3}, True, None, "FAIL", "constant",
                 id="constant"),
    pytest.param({"mean": [0.3, 0.0], "std": [0.0, 1.0], "max_abs": 3.0}, True, None, "WARN",
                 "constant", id="a constant channel"),
]  # fmt: skip


@pytest.mark.parametrize("seen, has_norm, first, verdict, words", SCALES)
def test_input_scale(
    seen: dict[str, object], has_norm: bool, first: float | None, verdict: str, words: str
) -> None:
    finding = judge_input_scale(
        InputScale(**seen, has_norm=has_norm, first_preactivation_std=first)
    )
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


def test_a_backbone_scales_images_by_itself() -> None:
    pixels = {"mean": [0.0, 60.0], "std": [60.0, 60.0], "max_abs": 150.0, "has_norm": False}
    assert judge_input_scale(InputScale(**pixels, own_scaling=True)).verdict == "PASS"
    constant = {**pixels, "std": [60.0, 0.0]}
    assert judge_input_scale(InputScale(**constant, own_scaling=True)).verdict == "WARN"


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_louder_first_kernels_are_no_better(one: float, other: float) -> None:
    low, high = (
        judge_input_scale(InputScale(**CENTRED, has_norm=False, first_preactivation_std=std))
        for std in sorted((one, other))
    )
    assert low.verdict <= high.verdict


STATISTICS = HEALTHY["C02"]


@pytest.mark.parametrize(
    "changes, verdict, words",
    [
        ({"used_mean": [], "used_std": [], "kind": "scale01"}, "PASS", "takes no statistics"),
        ({"used_std": []}, "PASS", "training split"),
        ({"used_mean": [125.3, 123.0, 113.906]}, "PASS", "training split"),
        ({"used_mean": [125.3, 123.0, 113.91]}, "WARN", "constants of your own"),
        ({"used_mean": [126.0, 123.7, 114.9], "used_std": [62.9, 61.9, 66.7]}, "FAIL", "of test"),
        ({"used_mean": [123.7, 116.8, 103.9]}, "WARN", "constants of your own"),
        ({"used_mean": [127.5] * 3, "used_std": [127.5] * 3}, "WARN", "of your own"),
    ],
)
def test_statistics(changes: dict[str, object], verdict: str, words: str) -> None:
    finding = judge_statistics(replace(STATISTICS, **changes))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding
