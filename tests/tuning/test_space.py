"""Laws of `tuning.space`, on drawn ranges and lists."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuning.space import Choice, Range

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


@st.composite
def wholes(draw: st.DrawFn) -> Range:
    sampling = draw(st.sampled_from(["linear", "log"]))
    low = draw(st.integers(1 if sampling == "log" else -1000, 1000))
    return Range(low, low + draw(st.integers(1, 1000)), sampling, integer=True)


@st.composite
def stepped(draw: st.DrawFn) -> Range:
    integer = draw(st.booleans())
    numbers = st.integers(1, 20) if integer else st.floats(0.01, 20.0)
    low, step = draw(st.integers(-20, 20)), draw(numbers)
    width = step * draw(st.integers(1, 20)) + draw(st.sampled_from([0, 0, step // 2]))
    return Range(low, low + width, integer=integer, step=step)


@given(wholes(), POSITIONS)
def test_whole_numbers_lie_in_the_range(space: Range, position: float) -> None:
    value = space.at(position)
    assert type(value) is int
    assert space.min_value <= value <= space.max_value
    assert space.at(space.position(value)) == value


@given(wholes())
def test_both_limits_are_whole_numbers_to_draw(space: Range) -> None:
    assert (space.at(0.0), space.at(1.0)) == (space.min_value, space.max_value)


@given(st.integers(1, 50), st.integers(1, 50))
def test_whole_numbers_are_equally_likely(low: int, count: int) -> None:
    space = Range(low, low + count, integer=True)
    shares = [space.at((index + 0.5) / (count + 1)) for index in range(count + 1)]
    assert shares == list(range(low, low + count + 1))


def test_whole_numbers_in_log_space_are_kerastuners() -> None:
    space = Range(2, 31, "log", integer=True)
    values = [space.at(position) for position in (0.0, 0.1, 0.24, 0.26, 0.5, 0.9, 1.0)]
    expected = [int(2 * (32 / 2) ** position) for position in (0.0, 0.1, 0.24, 0.26, 0.5, 0.9)]
    assert values == [*expected, 31]


@given(stepped(), POSITIONS)
def test_steps_start_at_the_lowest_value(space: Range, position: float) -> None:
    assert space.step is not None
    value = space.at(position)
    steps = (value - space.min_value) / space.step
    assert space.min_value <= value <= space.max_value
    assert steps == pytest.approx(round(steps), abs=1e-6)
    assert type(value) is int or not space.integer


def test_steps_that_floats_cannot_hold_reach_the_end() -> None:
    space = Range(0.0, 0.3, step=0.1)
    assert [space.at(position) for position in (0.0, 0.3, 0.6, 1.0)] == [0.0, 0.1, 0.2, 0.3]


def test_values_share_alike() -> None:
    space = Choice(("a", None, True, 1, 0.5))
    assert [space.at(position) for position in (0.0, 0.3, 0.5, 0.7, 1.0)] == list(space.values)
    assert [space.index(value) for value in space.values] == [0, 1, 2, 3, 4]
    assert (space.index(1.0), space.index("b"), space.index(False)) == (3, None, None)
    assert not space.numeric
    assert Choice((1, 0.5)).numeric


@pytest.mark.parametrize(
    "limits, message",
    [
        ((1.0, 2.5, "linear", True), "must be whole numbers, but got min_value=1.0, max_value=2.5"),
        ((1.0, 2.0, "log", False, 0.1), "`step` needs sampling: linear, but got step=0.1"),
        ((1.0, 2.0, "linear", False, 0.0), "`0 < step <= max_value - min_value` must hold, but"),
        ((1.0, 2.0, "linear", False, 1.5), "must hold, but got step=1.5, min_value=1.0"),
        ((1.0, 2.0, "linear", False, math.nan), "must hold, but got step=nan"),
        ((1, 3, "linear", True, 0.5), "`step` must be a whole number, but got step=0.5"),
    ],
)
def test_no_such_range(limits: tuple[float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Range(*limits)


@pytest.mark.parametrize(
    "values, message",
    [
        ((), "`values` must list a value, but got none"),
        ((1, 2, 1.0), "`values` must differ, but got 1.0 twice"),
    ],
)
def test_no_values(values: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Choice(values)
