"""Laws of `tuning.space.Range`, on drawn ranges."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuning.space import Range

POSITIONS = st.floats(0.0, 1.0)
LIMITS = st.floats(-1e12, 1e12)
POSITIVE = st.floats(1e-12, 1e12)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    sampling = draw(st.sampled_from(["linear", "log"]))
    ends = POSITIVE if sampling == "log" else LIMITS
    low, high = sorted((draw(ends), draw(ends)))
    # Ends a rounding error apart leave no room for an inverse.
    assume(high - low > 1e-6 * max(abs(low), abs(high)))
    return Range(low, high, sampling)


@given(ranges(), POSITIONS)
def test_values_lie_in_the_range(space: Range, position: float) -> None:
    assert space.min_value <= space.at(position) <= space.max_value


@given(ranges())
def test_ends_are_the_limits(space: Range) -> None:
    assert space.at(0.0) == pytest.approx(space.min_value, rel=1e-9)
    assert space.at(1.0) == pytest.approx(space.max_value, rel=1e-9)
    assert space.position(space.min_value) == 0.0
    assert space.position(space.max_value) == 1.0


@given(ranges(), POSITIONS, POSITIONS)
def test_at_rises(space: Range, one: float, other: float) -> None:
    low, high = sorted((one, other))
    span = space.max_value - space.min_value
    assert space.at(low) <= space.at(high) + 1e-9 * span


@given(ranges(), POSITIONS)
def test_position_undoes_at(space: Range, position: float) -> None:
    assert space.position(space.at(position)) == pytest.approx(position, abs=1e-6)


@given(POSITIVE, POSITIVE, st.floats(0.0, 0.5))
def test_log_steps_multiply(one: float, other: float, step: float) -> None:
    low, high = sorted((one, other))
    assume(high > 1.1 * low)
    space = Range(low, high, "log")
    ratio = space.at(step) / space.at(0.0)
    assert space.at(2 * step) / space.at(step) == pytest.approx(ratio, rel=1e-6)


@pytest.mark.parametrize("position", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_log_is_kerastuners_law(position: float) -> None:
    expected = 1e-4 * (1.0 / 1e-4) ** position
    assert Range(1e-4, 1.0, "log").at(position) == pytest.approx(expected, rel=1e-12)


def test_huge_ranges_do_not_overflow() -> None:
    assert Range(-1.7e308, 1.7e308).at(0.5) == 0.0
    assert Range(-1.7e308, 1.7e308).position(0.0) == 0.5
    assert math.isfinite(Range(1e-300, 1e300, "log").at(0.999))


@pytest.mark.parametrize(
    "low, high, sampling, message",
    [
        (0.0, 1.0, "log", "`min_value > 0` must hold for sampling: log, but got min_value=0.0"),
        (-1.0, 1.0, "log", "must hold for sampling: log, but got min_value=-1.0, max_value=1.0"),
        (1.0, 1.0, "linear", "`min_value < max_value` must hold, but got min_value=1.0"),
        (2.0, 1.0, "linear", "must hold, but got min_value=2.0, max_value=1.0"),
        (math.nan, 1.0, "linear", "must be finite, but got min_value=nan"),
        (0.0, math.inf, "linear", "must be finite, but got min_value=0.0, max_value=inf"),
        (1.0, 2.0, "Log", "`sampling` must be one of: linear, log, but got 'Log'"),
    ],
)
def test_no_range(low: float, high: float, sampling: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        Range(low, high, sampling)  # type: ignore[arg-type]


@pytest.mark.parametrize("position", [-0.1, 1.1, math.nan])
def test_position_outside(position: float) -> None:
    with pytest.raises(ValueError, match="`0 <= position <= 1` must hold, but got position="):
        Range(0.0, 1.0).at(position)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_value_outside(value: float) -> None:
    with pytest.raises(ValueError, match="`min_value <= value <= max_value` must hold, but got"):
        Range(0.0, 1.0).position(value)
