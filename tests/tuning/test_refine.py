"""The rules by which a stage's trials narrow and widen its ranges."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.refine.edges import ScoredTrial, edges
from tuning.refine.narrow import coverage, narrow, standard_error
from tuning.space import Choice, Range, limits

RATE = "train.optimizer.SGD.learning_rate"
RATES = Range(1e-4, 1.0, "log")


def anything(path: str, value: Any) -> str | None:
    return None


def below_one(path: str, value: Any) -> str | None:
    return None if value < 1 else "momentum must be below 1"


def trials(values: list[Any], path: str = RATE, se: float = 0.0) -> list[ScoredTrial]:
    """Trials, the best first."""
    return [ScoredTrial({path: value}, -index, se) for index, value in enumerate(values)]


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


@given(stages(), st.sampled_from([anything, below_one]))
def test_the_best_lies_inside_the_new_range(
    stage: tuple[Range, list[ScoredTrial]], allowed: Any
) -> None:
    space, scored = stage
    best = max(scored, key=lambda trial: trial.score).values[RATE]
    new = narrow({RATE: space}, scored, allowed).space[RATE]
    assert isinstance(new, Range)
    assert new.min_value <= best <= new.max_value
    assert (new.sampling, new.integer, new.step) == (space.sampling, space.integer, space.step)


@given(stages(), st.sampled_from([anything, below_one]))
def test_no_range_becomes_too_narrow(stage: tuple[Range, list[ScoredTrial]], allowed: Any) -> None:
    space, scored = stage
    new = narrow({RATE: space}, scored, allowed).space[RATE]
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
    found = narrow({RATE: space}, scored, anything)
    new, sides = found.space[RATE], {edge.side for edge in found.edges}
    assert isinstance(new, Range)
    assert ("low" in sides) or new.min_value >= space.min_value
    assert ("high" in sides) or new.max_value <= space.max_value
    for edge in found.edges:
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
    found = narrow({RATE: space}, scored, anything)
    assert found == narrow({RATE: space}, list(scored), anything)
    assert json.loads(json.dumps([edge.as_json() for edge in found.edges], allow_nan=False)) == [
        edge.as_json() for edge in found.edges
    ]


@pytest.mark.parametrize("sampling", ["linear", "log"])
def test_an_optimum_inside_stays_inside(sampling: Any) -> None:
    """Nearly always: the best draws may all lie on one side of it, farther than the margin."""
    drawn = random.Random(0)
    whole = Range(1e-6, 1e3, sampling)
    inside = 0
    for _ in range(300):
        space = Range(1e-5, 10.0, sampling)
        optimum = space.at(drawn.uniform(0.2, 0.8))
        for _ in range(3):
            values = [space.at(drawn.random()) for _ in range(25)]
            scored = [
                ScoredTrial({RATE: value}, -abs(whole.position(value) - whole.position(optimum)))
                for value in values
            ]
            new = narrow({RATE: space}, scored, anything).space[RATE]
            assert isinstance(new, Range)
            space = new
        inside += space.min_value <= optimum <= space.max_value
    assert inside >= 290


@given(st.integers(0, 1000), st.floats(1e-3, 1.0))
def test_an_optimum_above_the_range_is_reached(seed: int, optimum: float) -> None:
    """Twenty draws, one in each twentieth of the range: one is always within 5 % of the edge."""
    drawn = random.Random(seed)
    space = Range(1e-6, 1e-4, "log")
    for _ in range(6):
        values = [space.at((index + drawn.random()) / 20) for index in range(20)]
        scored = [ScoredTrial({RATE: value}, -abs(math.log10(value / optimum))) for value in values]
        new = narrow({RATE: space}, scored, anything).space[RATE]
        assert isinstance(new, Range)
        if space.max_value < optimum:
            assert new.max_value == pytest.approx(10 * space.max_value)
            assert new.min_value > space.min_value
        space = new
    assert space.min_value <= optimum <= space.max_value


@pytest.mark.parametrize("count", [8, 10, 25])
@pytest.mark.parametrize("noise, least", [(0.0, 1.0), (0.05, 0.9)])
def test_an_optimum_above_the_range_is_noticed(count: int, noise: float, least: float) -> None:
    """Of independent draws one is within 5 % of the edge with 1 - .95 ** n alone: .4 of ten."""
    drawn = random.Random(0)
    noticed = 0
    for _ in range(300):
        positions = [drawn.random() for _ in range(count)]
        scored = [
            ScoredTrial({RATE: RATES.at(place)}, place + drawn.gauss(0, noise))
            for place in positions
        ]
        noticed += any(edge.side == "high" for edge in edges({RATE: RATES}, scored, anything))
    assert noticed / 300 >= least


def test_noise_does_not_rise() -> None:
    drawn = random.Random(1)
    found = 0
    for _ in range(2000):
        scored = [ScoredTrial({RATE: RATES.at(drawn.random())}, drawn.random()) for _ in range(12)]
        found += sum(edge.rising for edge in edges({RATE: RATES}, scored, anything))
    assert found / 2000 < 0.01


def test_a_rising_score_in_words() -> None:
    scored = [ScoredTrial({RATE: RATES.at(place / 10)}, place) for place in range(9)]
    (edge,) = edges({RATE: RATES}, scored, anything)
    assert edge.rising
    assert edge.words.startswith(f"scores rise to the upper edge of {RATE} [")
    assert "extended to" in edge.words
    lucky = [replace(one, score=0.98 + one.score / 1000, se=0.01) for one in scored[1:8]]
    assert not edges({RATE: RATES}, lucky, anything)


def test_noise_seldom_moves_an_edge() -> None:
    """Three of five within a tenth of an edge: 10 * .1**3 * .9**2 + 5 * .1**4 * .9 + .1**5."""
    drawn = random.Random(0)
    stages, near, best = 20_000, 0, 0
    for _ in range(stages):
        scored = trials([drawn.random() for _ in range(5)])
        found = edges({RATE: Range(0.0, 1.0)}, scored, anything)
        near += sum(edge.near is not None for edge in found)
        best += sum(edge.near is None for edge in found)
    positions = [[drawn.random() for _ in range(5)] for _ in range(stages)]
    alone = sum(sum(u <= 0.1 for u in five) >= 3 for five in positions) / stages
    assert alone == pytest.approx(0.00856, abs=0.002)
    # Where the best itself is at the edge, the first rule speaks.
    assert near / (2 * stages) == pytest.approx(0.0059, abs=0.002)
    assert best / (2 * stages) == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize(
    "space, values, message",
    [
        (RATES, [0.95], "best {} 9.5e-1 lies at the edge of [1e-4, 1]: extended to 10"),
        (RATES, [1e-4], "best {} 1.0e-4 lies at the edge of [1e-4, 1]: extended to 1e-5"),
        (
            RATES,
            [0.3, 0.5, 0.6, 0.01, 0.02],
            None,
        ),
        (
            RATES,
            [0.5, 0.01, 0.6, 0.7, 0.5],
            "4 of the best 5 {} lie near the upper edge of [1e-4, 1]: extended to 10",
        ),
        (
            RATES,
            [2e-4, 2e-4, 2e-4, 0.01, 0.01],
            "3 of the best 5 {} lie near the lower edge of [1e-4, 1]: extended to 1e-5",
        ),
        (RATES, [0.5, 0.5, 0.5, 0.5], None),
        (RATES, [0.01], None),
        (Range(0.2, 0.6), [0.59], "best {} 0.59 lies at the edge of [0.2, 0.6]: extended to 0.8"),
        (Range(0.2, 0.6), [0.2], "best {} 0.2 lies at the edge of [0.2, 0.6]: extended to 0"),
        (
            Range(0.0, 0.5),
            [0.01],
            "best {} 0.01 lies at the edge of [0, 0.5]: cannot be extended: it ends at 0",
        ),
        (Range(-1.0, 1.0), [-1.0], "best {} -1 lies at the edge of [-1, 1]: extended to -2"),
        (Range(-2.0, -1.0), [-1.0], "best {} -1 lies at the edge of [-2, -1]: extended to -0.5"),
        (Range(1, 3, integer=True), [3], "best {} 3 lies at the edge of [1, 3]: extended to 4"),
        (
            Range(8, 64, "log", integer=True),
            [64],
            "best {} 64 lies at the edge of [8, 64]: extended to 640",
        ),
        (
            Range(1, 8, "log", integer=True),
            [1],
            "best {} 1 lies at the edge of [1, 8]: cannot be extended: it ends at 1",
        ),
        (
            Range(0.1, 0.4, step=0.1),
            [0.4],
            "best {} 0.4 lies at the edge of [0.1, 0.4]: extended to 0.6",
        ),
        (RATES, [3.0], "best {} 3.0e0 lies at the edge of [1e-4, 1]: extended to 10"),
        (
            Choice((16, 32, 64)),
            [64],
            "best {} 64 is the largest of the values listed: list larger ones",
        ),
        (
            Choice((64, 16)),
            [16],
            "best {} 16 is the smallest of the values listed: list smaller ones",
        ),
        (Choice((16, 32, 64)), [32], None),
        (Choice(("relu", "gelu")), ["gelu"], None),
        (Choice((True, False)), [True], None),
    ],
)  # fmt: skip
def test_edges_in_words(space: Range | Choice, values: list[Any], message: str | None) -> None:
    found = [edge.words for edge in edges({RATE: space}, trials(values), anything)]
    assert found == ([] if message is None else [message.format(RATE)])


@pytest.mark.parametrize(
    "space, value, message",
    [
        (
            Range(0.5, 0.99),
            0.99,
            "best m 0.99 lies at the edge of [0.5, 0.99]: cannot be extended: "
            "momentum must be below 1",
        ),
        (
            Range(0.5, 0.9),
            0.9,
            "best m 0.9 lies at the edge of [0.5, 0.9]: extended to 0.95 "
            "(no further: momentum must be below 1)",
        ),
        (
            Range(0.01, 0.5, "log"),
            0.5,
            "best m 5.0e-1 lies at the edge of [0.01, 0.5]: extended to 0.889 "
            "(no further: momentum must be below 1)",
        ),
    ],
)
def test_an_extension_is_cut_back_to_what_the_recipe_takes(
    space: Range, value: float, message: str
) -> None:
    found = edges({"m": space}, trials([value], "m"), below_one)
    assert [edge.words for edge in found] == [message]


def test_coarse_to_fine_of_the_lecture() -> None:
    """Stages as on its slide, which went on with rates 1e-4 to 1e-3 and L2 1e-4 to 1."""
    drawn = random.Random(3)
    space = {"lr": Range(1e-6, 1e-3, "log"), "reg": Range(1e-5, 1e5, "log")}
    scored = []
    for index in range(100):
        values = {path: space[path].at(drawn.random()) for path in space}
        off = (math.log10(values["lr"] / 3e-4), math.log10(values["reg"] / 1e-2) / 3)
        score = max(0.1, 0.5 - 0.1 * sum(part**2 for part in off))
        scored.append(
            ScoredTrial(values, score, standard_error(score, 1000), f"coarse-{index:03d}")
        )
    found = narrow(space, scored, anything)
    assert limits(found.space["lr"]) == "[6.14e-5, 1e-3]"
    assert limits(found.space["reg"]) == "[2.04e-4, 0.577]"
    assert found.messages[-3:] == [
        f"kept {found.kept} of 100 trials: those within 2 standard errors of the best",
        "lr: [1e-6, 1e-3] -> [6.14e-5, 1e-3]",
        "reg: [1e-5, 1e5] -> [2.04e-4, 0.577]",
    ]


def test_ends_are_a_quarter_of_a_decade_around_the_kept() -> None:
    found = narrow({RATE: RATES}, trials([0.01, 0.02, 0.005, 0.01, 0.01, 1.0]), anything)
    new = found.space[RATE]
    assert isinstance(new, Range)
    assert (found.kept, found.edges) == (5, [])
    assert new.min_value == pytest.approx(0.005 / 10**0.25)
    assert new.max_value == pytest.approx(0.02 * 10**0.25)
    assert found.messages[0] == "kept 5 of 6 trials: the best"


def test_trials_within_two_standard_errors_are_kept() -> None:
    scored = [ScoredTrial({RATE: 0.01}, 0.9 - index / 1000, 0.01) for index in range(40)]
    assert narrow({RATE: RATES}, scored, anything).kept == 21


def test_linear_ranges_keep_a_quarter_of_their_width() -> None:
    new = narrow({"d": Range(0.0, 0.8)}, trials([0.4] * 5, "d"), anything).space["d"]
    assert isinstance(new, Range)
    assert (new.min_value, new.max_value) == pytest.approx((0.3, 0.5))


def test_best_at_an_edge_that_cannot_move_keeps_half_a_decade() -> None:
    space = Range(1e-4, 1.0, "log")
    found = narrow({RATE: space}, trials([1.0] * 5), lambda path, value: "no")
    new = found.space[RATE]
    assert isinstance(new, Range)
    assert new.max_value == 1.0
    assert new.min_value == pytest.approx(10**-0.5)


def test_whole_numbers_are_rounded_outward() -> None:
    space = Range(1, 100, integer=True)
    new = narrow({"n": space}, trials([50] * 5, "n"), anything).space["n"]
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
    new = narrow({"v": Choice(values)}, trials(kept, "v"), anything).space["v"]
    assert new == Choice(expected)


def test_a_path_is_judged_by_the_trials_that_have_it() -> None:
    space = {"lr": RATES, "sgd.momentum": Range(0.5, 0.9), "adam.beta": Range(0.5, 0.9)}
    scored = [ScoredTrial({"lr": 0.01, "sgd.momentum": 0.7}, 1 - index / 100) for index in range(6)]
    scored += [ScoredTrial({"lr": 0.01, "adam.beta": 0.9}, 0.0)]
    found = narrow(space, scored, anything)
    assert found.space["adam.beta"] == space["adam.beta"]
    assert found.space["sgd.momentum"] != space["sgd.momentum"]
    assert found.edges == []


def test_trials_without_a_score_say_nothing() -> None:
    scored = [ScoredTrial({RATE: 1.0}, score) for score in (-math.inf, math.nan)]
    found = narrow({RATE: RATES}, scored, anything)
    assert (found.space, found.kept) == ({RATE: RATES}, 0)
    assert found.messages == ["no trial has a score: the ranges stay as they are"]
    mixed = narrow({RATE: RATES}, [*scored, ScoredTrial({RATE: 0.01}, 0.5)], anything)
    assert mixed.kept == 1


@pytest.mark.parametrize("value", [None, "x", True, math.nan, 0.0, -1.0])
def test_values_that_a_range_cannot_hold_are_left_out(value: Any) -> None:
    assert narrow({RATE: RATES}, trials([value]), anything).space == {RATE: RATES}


@pytest.mark.parametrize(
    "count, share, expected", [(60, 0.05, 0.954), (25, 0.05, 0.723), (10, 0.05, 0.401), (0, 1, 0)]
)
def test_coverage(count: int, share: float, expected: float) -> None:
    assert coverage(count, share) == pytest.approx(expected, abs=5e-4)


def test_standard_error() -> None:
    assert standard_error(0.9, 5000) == pytest.approx(0.00424, abs=1e-5)
    assert standard_error(1.0, 10) == 0.0


def test_no_coverage_no_standard_error() -> None:
    with pytest.raises(
        ValueError, match="`0 <= fraction <= 1` must hold, but got trials=3, fraction=2"
    ):
        coverage(3, 2)
    with pytest.raises(ValueError, match="must hold, but got images=0, accuracy=0.5"):
        standard_error(0.5, 0)


def test_a_path_that_few_kept_trials_have_is_left_alone() -> None:
    """One trial of SGD says nothing of where its rate should be, were it the best."""
    space = {RATE: RATES, "sgd": Range(1e-4, 1.0, "log")}
    scored = [ScoredTrial({RATE: 0.01}, 0.9 - index / 100) for index in range(4)]
    scored.append(ScoredTrial({RATE: 0.02, "sgd": 0.9}, 0.95))
    found = narrow(space, scored, anything)
    assert found.space["sgd"] == space["sgd"]
    assert not [edge for edge in found.edges if edge.path == "sgd"]
    scored += [ScoredTrial({RATE: 0.02, "sgd": rate}, 0.94) for rate in (0.5, 0.8)]
    assert narrow(space, scored, anything).space["sgd"] != space["sgd"]
