"""Where the best values lie at the edge of a range, and where it moves to."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.tuning.refine.stages import RATE, RATES, accepts_all, accepts_below_one, trials
from tuning.refine.edges import ScoredTrial, edges
from tuning.space import Choice, Range


@pytest.mark.parametrize("count", [8, 10, 25])
@pytest.mark.parametrize("noise, least", [(0.0, 1.0), (0.05, 0.9)])
def test_an_optimum_above_the_range_is_noticed(count: int, noise: float, least: float) -> None:
    """Of independent draws one is within 5 % of the edge with 1 - .95 ** n alone: .4 of ten."""
    rng = random.Random(0)
    noticed = 0
    for _ in range(300):
        positions = [rng.random() for _ in range(count)]
        scored = [
            ScoredTrial({RATE: RATES.at(place)}, place + rng.gauss(0, noise)) for place in positions
        ]
        noticed += any(edge.side == "high" for edge in edges({RATE: RATES}, scored, accepts_all))
    assert noticed / 300 >= least


def test_noise_does_not_rise() -> None:
    rng = random.Random(1)
    detected = 0
    for _ in range(2000):
        scored = [ScoredTrial({RATE: RATES.at(rng.random())}, rng.random()) for _ in range(12)]
        detected += sum(edge.rising for edge in edges({RATE: RATES}, scored, accepts_all))
    assert detected / 2000 < 0.01


def test_a_rising_score_in_words() -> None:
    scored = [ScoredTrial({RATE: RATES.at(place / 10)}, place) for place in range(9)]
    (edge,) = edges({RATE: RATES}, scored, accepts_all)
    assert edge.rising
    assert edge.words.startswith(f"scores rise to the upper edge of {RATE} [")
    assert "extended to" in edge.words
    lucky = [replace(one, score=0.98 + one.score / 1000, se=0.01) for one in scored[1:8]]
    assert not edges({RATE: RATES}, lucky, accepts_all)


def test_noise_seldom_moves_an_edge() -> None:
    """Three of five within a tenth of an edge: 10 * .1**3 * .9**2 + 5 * .1**4 * .9 + .1**5."""
    rng = random.Random(0)
    stages, near, best = 5_000, 0, 0
    for _ in range(stages):
        scored = trials([rng.random() for _ in range(5)])
        detected = edges({RATE: Range(0.0, 1.0)}, scored, accepts_all)
        near += sum(edge.near is not None for edge in detected)
        best += sum(edge.near is None for edge in detected)
    positions = [[rng.random() for _ in range(5)] for _ in range(stages)]
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
    detected = [edge.words for edge in edges({RATE: space}, trials(values), accepts_all)]
    assert detected == ([] if message is None else [message.format(RATE)])


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
    detected = edges({"m": space}, trials([value], "m"), accepts_below_one)
    assert [edge.words for edge in detected] == [message]
