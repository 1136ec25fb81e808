"""Scans of learning rates, as numbers."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import strategies as st

from tests.checks.healthy import scan
from zoo.checks.judge.rates import RatePoint, next_rate

POINT = RatePoint(
    rate=0.1, seed=0, first_loss=2.3, end_loss=1.5, se=0.01, smoothed_max=2.4, accuracy=0.4
)

QUIET = replace(POINT, end_loss=2.3, accuracy=0.2)


def bursts(*rates: float) -> list[RatePoint]:
    return [replace(POINT, rate=rate, finite=False) for rate in rates]


def peaked(top: int, best: int, first: int, noise: float, seed: int) -> list[RatePoint]:
    """Half decades from 10^first to 10^1.5: rates up to 10^(top / 2), best at 10^(best / 2)."""
    draw = random.Random(seed)
    points = []
    for half in range(2 * first, 4):
        fall = 1.2 * 0.6 ** abs(half - best) + draw.gauss(0, noise)
        kind = {"end_loss": 2.3 - fall, "accuracy": 0.1 + max(fall, 0.0) / 2}
        if half > top:
            kind = {"end_loss": 40.0, "smoothed_max": 40.0, "accuracy": 0.1}
        points.append(replace(POINT, rate=10 ** (half / 2), first_loss=2.3, **kind))
    return points


def peaks(*noise: float) -> st.SearchStrategy[list[RatePoint]]:
    ends, best = st.integers(-6, 4), st.integers(-10, 2)
    return st.builds(
        peaked, ends, best, st.sampled_from([-5, -6]), st.sampled_from(noise), st.integers(0, 99)
    )


PEAKED = peaks(0.0, 0.02)
SCANS = st.tuples(st.integers(-6, 1), st.integers(-6, 1)).map(lambda ends: scan(*sorted(ends)))


def walked(points: list[RatePoint], rate: float, annealed: bool, chance: float) -> list[RatePoint]:
    """What a dear scan would train of these."""
    all_of_them = {point.rate: point for point in points if point.seed == 0}
    points_tried: list[RatePoint] = []
    while (
        rate_tried := next_rate(points_tried, list(all_of_them), rate, annealed, chance)
    ) is not None:
        points_tried.append(all_of_them[rate_tried])
    return points_tried
