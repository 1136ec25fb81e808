"""The verdict on the numbers of a comparison."""

from __future__ import annotations

import math
from typing import Any

import pytest

from zoo.export.limits import Limits, limits

SAME = {
    "max_abs_diff": 0.0,
    "max_repeat_diff": 0.0,
    "mean_diff": 0.0,
    "top1_agreement": 1.0,
    "images": 500,
}
FLOAT32, FLOAT16, INT8 = (
    limits(True, "float32", quantize) for quantize in (None, "float16", "int8")
)


@pytest.mark.parametrize(
    "full_precision, policy, quantize, tolerance",
    [
        (False, "float32", None, 1e-4),
        (False, "mixed_bfloat16", None, 1e-4),
        (True, "mixed_float16", None, 2e-2),
        (True, "mixed_bfloat16", None, 1e-1),
        (True, "float32", "float16", 2e-2),
        (True, "mixed_bfloat16", "float16", 1e-1),
        (True, "float32", "int8", 1.0),
    ],
)
def test_tolerance(
    full_precision: bool, policy: str, quantize: str | None, tolerance: float
) -> None:
    assert limits(full_precision, policy, quantize).tolerance == tolerance


@pytest.mark.parametrize(
    "allowed, change, part",
    [
        (FLOAT32, {"max_abs_diff": 2e-4}, "probabilities differ by 0.0002, two calls by 0. Exp"),
        (FLOAT32, {"max_repeat_diff": 2e-4}, "two calls by 0.0002. Expected at most 0.0001"),
        (FLOAT16, {"max_abs_diff": 0.03}, "Expected at most 0.02"),
        (INT8, {"mean_diff": 0.11}, "differ by 0.11 on average. Expected at most 0.1"),
        (INT8, {"top1_agreement": 0.898}, "first for 10.20% of 500 images. Expected at most 10%"),
        (INT8, {"max_abs_diff": 3e38, "mean_diff": 3e38}, "probabilities differ by 3e+38"),
        (FLOAT32, {"max_abs_diff": math.nan}, "probabilities differ by nan"),
        (INT8, {"mean_diff": math.nan}, "differ by nan on average"),
    ],
)
def test_exceeded(allowed: Limits, change: dict[str, Any], part: str) -> None:
    assert part in "; ".join(allowed.exceeded({**SAME, **change}))


@pytest.mark.parametrize(
    "allowed, change, doubtful",
    [
        (FLOAT32, {"max_abs_diff": 1e-4}, False),
        (FLOAT16, {"max_abs_diff": 0.02, "top1_agreement": 0.9}, False),
        (INT8, {"max_abs_diff": 0.9, "mean_diff": 0.1, "top1_agreement": 0.9}, True),
        (INT8, {"top1_agreement": 0.98}, False),
        (INT8, {"top1_agreement": 0.97}, True),
        (INT8, {"top1_agreement": 0.5, "images": 4}, False),  # Two of four images.
    ],
)
def test_passed(allowed: Limits, change: dict[str, Any], doubtful: bool) -> None:
    parity = {**SAME, **change}
    assert allowed.exceeded(parity) == []
    assert allowed.doubtful(parity) is doubtful
