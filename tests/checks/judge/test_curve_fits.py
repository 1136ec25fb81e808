"""Smoothing and fits of curves."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.checks.judge.curve_fits import (
    block_means,
    exponential_moving_average,
    fit_line,
    linear_aic_margin,
    standard_error,
)
from zoo.checks.judge.curves import (
    CurveShape,
)


def curve(
    loss: Callable[[float], float], noise: float = 0.02, steps: int = 600, seed: int = 0
) -> CurveShape:
    """Losses over time from 0 to 1, from ln 10."""
    chance = random.Random(seed)
    losses = [loss(step / steps) + chance.gauss(0, noise) for step in range(steps)]
    return CurveShape(losses=losses, steps_per_epoch=100, initial=2.3)


NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(NUMBERS, min_size=1, max_size=50), st.floats(0.0, 0.99))
def test_smoothed_lies_among_the_values(values: list[float], keep: float) -> None:
    smooth = exponential_moving_average(values, keep)
    assert len(smooth) == len(values)
    slack = 1e-6 * max(1.0, *map(abs, values))
    assert all(min(values) - slack <= value <= max(values) + slack for value in smooth)


@given(st.floats(-100, 100), st.floats(-100, 100), st.integers(2, 40))
def test_a_line_is_found(offset: float, slope: float, count: int) -> None:
    xs = [float(x) for x in range(count)]
    fit = fit_line(xs, [offset + slope * x for x in xs])
    assert fit[:2] == pytest.approx((offset, slope), abs=1e-8)


@pytest.mark.parametrize("seed", range(10))
def test_lines_and_exponentials_are_told_apart(seed: int) -> None:
    falls = curve(lambda t: 2 - t, noise=0.05, seed=seed).losses
    levels = curve(lambda t: math.exp(-4 * t), noise=0.05, seed=seed).losses
    assert linear_aic_margin(falls) > 10
    assert linear_aic_margin(levels) < -10


def test_short_or_constant_is_no_line() -> None:
    assert linear_aic_margin([3.0, 2.0, 1.0]) == 0.0
    assert linear_aic_margin([1.0] * 50) == pytest.approx(2.0)


def test_means_of_blocks() -> None:
    assert block_means([1.0, 3.0, 5.0, 7.0, 9.0], most=3) == [2.0, 6.0]
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)
    assert standard_error([1.0]) == 0.0
