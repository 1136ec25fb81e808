"""The ranges of the next stage."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.refine.stages import RATE, RATES, accepts_all, accepts_below_one, trials
from tuning.refine.edges import ScoredTrial
from tuning.refine.narrow import accuracy_error, coverage, narrow
from tuning.space import Choice, Range, limits


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    sampling = draw(st.sampled_from(["linear", "log"]))
    integer = draw(st.booleans())
    if integer:
        low = draw(st.integers(1 if sampling == "log" else -50, 50))
        step = draw(st.sampled_from([None, 1, 3])) if sampling == "linear" else None
        return Range(low, low + draw(st.integers(3, 500)), sampling, True, step)
    if sampling == "log":
        low = draw(st.floats(1e-9, 1e3))
        return Range(low, low * draw(st.floats(1.5, 1e9)), "log")
    low, width = draw(st.floats(-1e3, 1e3)), draw(st.floats(0.1, 1e3))
    step = draw(st.sampled_from([None, width / 7, width / 2.5]))
    return Range(low, low + width, step=step)


@st.composite
def stages(draw: st.DrawFn) -> tuple[Range, list[ScoredTrial]]:
    space = draw(ranges())
    positions = draw(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
    scores = draw(st.lists(st.floats(0.0, 1.0), min_size=len(positions), max_size=len(positions)))
    se = draw(st.sampled_from([0.0, 0.01, 0.3]))
    return space, [
        ScoredTrial({RATE: space.at(position)}, score, se)
        for position, score in zip(positions, scores, strict=True)
    ]


@given(stages(), st.sampled_from([accepts_all, accepts_below_one]))
def test_the_best_lies_inside_the_new_range(
    stage: tuple[Range, list[ScoredTrial]], refused: Any
) -> None:
    space, scored = stage
    best = max(scored, key=lambda trial: trial.score).values[RATE]
    new = narrow({RATE: space}, scored, refused).space[RATE]
    assert isinstance(new, Range)
    assert new.min_value <= best <= new.max_value
    assert (new.sampling, new.integer, new.step) == (space.sampling, space.integer, space.step)


@given(stages(), st.sampled_from([accepts_all, accepts_below_one]))
def test_no_range_becomes_too_narrow(stage: tuple[Range, list[ScoredTrial]], refused: Any) -> None:
    space, scored = stage
    new = narrow({RATE: space}, scored, refused).space[RATE]
    assert isinstance(new, Range)
    if space.sampling == "log":
        least = min(0.5, math.log10(space.max_value / space.min_value))
        assert math.log10(new.max_value / new.min_value) >= least - 1e-9
    else:
        assert new.max_value - new.min_value >= (space.max_value - space.min_value) / 4 * (1 - 1e-9)


@given(stages())
def test_no_range_ends_outside_the_old_but_at_an_edge(
    stage: tuple[Range, list[ScoredTrial]],
) -> None:
    space, scored = stage
    narrowed = narrow({RATE: space}, scored, accepts_all)
    new, sides = narrowed.space[RATE], {edge.side for edge in narrowed.edges}
    assert isinstance(new, Range)
    assert ("low" in sides) or new.min_value >= space.min_value
    assert ("high" in sides) or new.max_value <= space.max_value
    for edge in narrowed.edges:
        if edge.new is not None:
            assert isinstance(edge.new, Range)
            end = (edge.new.min_value, new.min_value) if edge.side == "low" else (
                edge.new.max_value, new.max_value)  # fmt: skip
            assert end[0] == pytest.approx(end[1], abs=1e-12 * (space.max_value - space.min_value))


@given(stages())
def test_what_is_not_allowed_is_not_searched(stage: tuple[Range, list[ScoredTrial]]) -> None:
    space, scored = stage
    high = max(space.max_value, 1.0)
    new = narrow({RATE: space}, scored, lambda path, value: "no" if value > high else None)
    assert isinstance(new.space[RATE], Range)
    assert new.space[RATE].max_value <= high


@given(stages())
def test_equal_trials_narrow_alike(stage: tuple[Range, list[ScoredTrial]]) -> None:
    space, scored = stage
    narrowed = narrow({RATE: space}, scored, accepts_all)
    assert narrowed == narrow({RATE: space}, list(scored), accepts_all)
    assert json.loads(json.dumps([edge.as_json() for edge in narrowed.edges], allow_nan=False)) == [
        edge.as_json() for edge in narrowed.edges
    ]


@pytest.mark.parametrize("sampling", ["linear", "log"])
def test_an_optimum_inside_stays_inside(sampling: Any) -> None:
    """Nearly always: the best draws may all lie on one side of it, farther than the margin."""
    rng = random.Random(0)
    whole = Range(1e-6, 1e3, sampling)
    inside = 0
    for _ in range(300):
        space = Range(1e-5, 10.0, sampling)
        optimum = space.at(rng.uniform(0.2, 0.8))
        for _ in range(3):
            values = [space.at(rng.random()) for _ in range(25)]
            scored = [
                ScoredTrial({RATE: value}, -abs(whole.position(value) - whole.position(optimum)))
                for value in values
            ]
            new = narrow({RATE: space}, scored, accepts_all).space[RATE]
            assert isinstance(new, Range)
            space = new
        inside += space.min_value <= optimum <= space.max_value
    assert inside >= 290


@given(st.integers(0, 1000), st.floats(1e-3, 1.0))
def test_an_optimum_above_the_range_is_reached(seed: int, optimum: float) -> None:
    """Twenty draws, one in each twentieth of the range: one is always within 5 % of the edge."""
    rng = random.Random(seed)
    space = Range(1e-6, 1e-4, "log")
    for _ in range(6):
        values = [space.at((index + rng.random()) / 20) for index in range(20)]
        scored = [ScoredTrial({RATE: value}, -abs(math.log10(value / optimum))) for value in values]
        new = narrow({RATE: space}, scored, accepts_all).space[RATE]
        assert isinstance(new, Range)
        if space.max_value < optimum:
            assert new.max_value == pytest.approx(10 * space.max_value)
            assert new.min_value > space.min_value
        space = new
    assert space.min_value <= optimum <= space.max_value


def test_coarse_to_fine_of_the_lecture() -> None:
    """Stages as on its slide, which went on with rates 1e-4 to 1e-3 and L2 1e-4 to 1."""
    rng = random.Random(3)
    space = {"lr": Range(1e-6, 1e-3, "log"), "reg": Range(1e-5, 1e5, "log")}
    scored = []
    for index in range(100):
        values = {path: space[path].at(rng.random()) for path in space}
        off = (math.log10(values["lr"] / 3e-4), math.log10(values["reg"] / 1e-2) / 3)
        score = max(0.1, 0.5 - 0.1 * sum(part**2 for part in off))
        scored.append(
            ScoredTrial(values, score, accuracy_error(score, 1000), f"coarse-{index:03d}")
        )
    narrowed = narrow(space, scored, accepts_all)
    assert limits(narrowed.space["lr"]) == "[6.14e-5, 1e-3]"
    assert limits(narrowed.space["reg"]) == "[2.04e-4, 0.577]"
    assert narrowed.messages[-3:] == [
        f"kept {narrowed.kept} of 100 trials: those within 2 standard errors of the best",
        "lr: [1e-6, 1e-3] -> [6.14e-5, 1e-3]",
        "reg: [1e-5, 1e5] -> [2.04e-4, 0.577]",
    ]


def test_ends_are_a_quarter_of_a_decade_around_the_kept() -> None:
    narrowed = narrow({RATE: RATES}, trials([0.01, 0.02, 0.005, 0.01, 0.01, 1.0]), accepts_all)
    new = narrowed.space[RATE]
    assert isinstance(new, Range)
    assert (narrowed.kept, narrowed.edges) == (5, [])
    assert new.min_value == pytest.approx(0.005 / 10**0.25)
    assert new.max_value == pytest.approx(0.02 * 10**0.25)
    assert narrowed.messages[0] == "kept 5 of 6 trials: the best"


def test_trials_within_two_standard_errors_are_kept() -> None:
    scored = [ScoredTrial({RATE: 0.01}, 0.9 - index / 1000, 0.01) for index in range(40)]
    assert narrow({RATE: RATES}, scored, accepts_all).kept == 21


def test_linear_ranges_keep_a_quarter_of_their_width() -> None:
    new = narrow({"d": Range(0.0, 0.8)}, trials([0.4] * 5, "d"), accepts_all).space["d"]
    assert isinstance(new, Range)
    assert (new.min_value, new.max_value) == pytest.approx((0.3, 0.5))


def test_best_at_an_edge_that_cannot_move_keeps_half_a_decade() -> None:
    space = Range(1e-4, 1.0, "log")
    narrowed = narrow({RATE: space}, trials([1.0] * 5), lambda path, value: "no")
    new = narrowed.space[RATE]
    assert isinstance(new, Range)
    assert new.max_value == 1.0
    assert new.min_value == pytest.approx(10**-0.5)


def test_whole_numbers_are_rounded_outward() -> None:
    space = Range(1, 100, integer=True)
    new = narrow({"n": space}, trials([50] * 5, "n"), accepts_all).space["n"]
    assert new == Range(37, 63, integer=True)
    assert type(new.min_value) is int


@pytest.mark.parametrize(
    "values, kept, expected",
    [
        ((8, 16, 32, 64, 128), [32] * 5 + [8, 128] * 3, (16, 32, 64)),
        ((8, 16, 32, 64, 128), [8] * 5 + [32, 64, 128] * 3, (8, 16)),
        ((128, 8, 64, 16), [64, 64, 64, 64, 8], (128, 8, 64, 16)),
        (("a", "b", "c"), ["c", "a", "a", "a", "a", "b"], ("a", "b", "c")),  # One of b is not told.
        (("a", "b", "c"), ["c", "a", "a", "a", "a", "b", "b", "b"], ("a", "c")),
        (("a", "b", "c"), ["c"] * 5 + ["b", "b", "b", "a", "a", "a"], ("b", "c")),
        (("a", "b", "c"), ["c"], ("a", "b", "c")),
        ((True, False), [False], (True, False)),
        (("a",), ["a"], ("a",)),
    ],
)
def test_lists_keep_what_kept_trials_have(
    values: tuple[Any, ...], kept: list[Any], expected: tuple[Any, ...]
) -> None:
    new = narrow({"v": Choice(values)}, trials(kept, "v"), accepts_all).space["v"]
    assert new == Choice(expected)


def test_a_path_is_judged_by_the_trials_that_have_it() -> None:
    space = {"lr": RATES, "sgd.momentum": Range(0.5, 0.9), "adam.beta": Range(0.5, 0.9)}
    scored = [ScoredTrial({"lr": 0.01, "sgd.momentum": 0.7}, 1 - index / 100) for index in range(6)]
    scored += [ScoredTrial({"lr": 0.01, "adam.beta": 0.9}, 0.0)]
    narrowed = narrow(space, scored, accepts_all)
    assert narrowed.space["adam.beta"] == space["adam.beta"]
    assert narrowed.space["sgd.momentum"] != space["sgd.momentum"]
    assert narrowed.edges == []


def test_trials_without_a_score_say_nothing() -> None:
    scored = [ScoredTrial({RATE: 1.0}, score) for score in (-math.inf, math.nan)]
    narrowed = narrow({RATE: RATES}, scored, accepts_all)
    assert (narrowed.space, narrowed.kept) == ({RATE: RATES}, 0)
    assert narrowed.messages == ["no trial has a score: the ranges stay as they are"]
    mixed = narrow({RATE: RATES}, [*scored, ScoredTrial({RATE: 0.01}, 0.5)], accepts_all)
    assert mixed.kept == 1


@pytest.mark.parametrize("value", [None, "x", True, math.nan, 0.0, -1.0])
def test_values_that_a_range_cannot_hold_are_left_out(value: Any) -> None:
    assert narrow({RATE: RATES}, trials([value]), accepts_all).space == {RATE: RATES}


@pytest.mark.parametrize(
    "count, share, expected", [(60, 0.05, 0.954), (25, 0.05, 0.723), (10, 0.05, 0.401), (0, 1, 0)]
)
def test_coverage(count: int, share: float, expected: float) -> None:
    assert coverage(count, share) == pytest.approx(expected, abs=5e-4)


def test_standard_error() -> None:
    assert accuracy_error(0.9, 5000) == pytest.approx(0.00424, abs=1e-5)
    assert accuracy_error(1.0, 10) == 0.0


def test_no_coverage_no_standard_error() -> None:
    with pytest.raises(
        ValueError, match="`0 <= fraction <= 1` must hold, but got trials=3, fraction=2"
    ):
        coverage(3, 2)
    with pytest.raises(ValueError, match="must hold, but got images=0, accuracy=0.5"):
        accuracy_error(0.5, 0)


def test_a_path_that_few_kept_trials_have_is_left_alone() -> None:
    """One trial of SGD says nothing of where its rate should be, were it the best."""
    space = {RATE: RATES, "sgd": Range(1e-4, 1.0, "log")}
    scored = [ScoredTrial({RATE: 0.01}, 0.9 - index / 100) for index in range(4)]
    scored.append(ScoredTrial({RATE: 0.02, "sgd": 0.9}, 0.95))
    narrowed = narrow(space, scored, accepts_all)
    assert narrowed.space["sgd"] == space["sgd"]
    assert not [edge for edge in narrowed.edges if edge.path == "sgd"]
    scored += [ScoredTrial({RATE: 0.02, "sgd": rate}, 0.94) for rate in (0.5, 0.8)]
    assert narrow(space, scored, accepts_all).space["sgd"] != space["sgd"]
