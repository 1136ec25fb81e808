"""Smoothing, means and fits of short curves, and what guessing reaches, in plain Python. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

# Time constants in the window of an exponential: at fewer it is a line, which it is set against.
CONSTANTS = tuple(2.0 * 1.25**step for step in range(16))
LONGEST = 500  # Points a fit is made of.


def smoothed(values: Sequence[float], keep: float = 0.9) -> list[float]:
    """Exponential moving average without the bias of its start (Kingma & Ba 2015, section 3)."""
    result: list[float] = []
    total = weight = 0.0
    for value in values:
        total = keep * total + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        result.append(total / weight)
    return result


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of the values, as if independent; 0 for fewer than two."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def thinned(values: Sequence[float], most: int = LONGEST) -> list[float]:
    """Means of equally long blocks, so many at most; a last block that is not full is left out."""
    size = -(-len(values) // most)
    return [fmean(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float]:
    """Least squares of ys = a + b * xs: a, b and the sum of squared residuals."""
    mean_x, mean_y = fmean(xs), fmean(ys)
    spread = math.fsum((x - mean_x) ** 2 for x in xs)
    both = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    slope = both / spread if spread else 0.0
    offset = mean_y - slope * mean_x
    rest = math.fsum((y - offset - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    return offset, slope, rest


def linear_over_exponential(values: Sequence[float]) -> float:
    """By how much a line has a better (smaller) AIC than a + b * exp(-k t), which levels off.

    k runs over a grid from two time constants in the window on: with less, the exponential is a
    line too. AIC = n ln(RSS / n) + 2 parameters (Akaike 1974). Positive: still linear.
    """
    ys = thinned(values)
    if len(ys) < 4:
        return 0.0
    times = [index / (len(ys) - 1) for index in range(len(ys))]
    straight = line(times, ys)[2]
    bent = min(line([math.exp(-k * t) for t in times], ys)[2] for k in CONSTANTS)
    # Rounding is no misfit.
    least = len(ys) * (1e-9 * max(1.0, *map(abs, ys))) ** 2
    return len(ys) * math.log((bent + least) / (straight + least)) + 2.0
