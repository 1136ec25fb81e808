"""Smoothing and fits of loss curves, in plain Python. Light.

Live checks run these on a few hundred numbers; numpy's import alone would take longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

# Decay rates k of the exponentials that are tried, where the window is 1 long. With less than two
# time constants in the window, an exponential is nearly the line that it is compared with.
DECAY_RATES = tuple(2.0 * 1.25**step for step in range(16))
MAX_POINTS = 500  # Longer curves are averaged over blocks before a fit.


def exponential_moving_average(values: Sequence[float], decay: float = 0.9) -> list[float]:
    """Return the bias-corrected moving average of the values (Kingma & Ba 2015, section 3)."""
    averages: list[float] = []
    total = weight = 0.0
    for value in values:
        total = decay * total + (1 - decay) * value
        weight = decay * weight + (1 - decay)
        averages.append(total / weight)
    return averages


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of independent values; 0 for fewer than two."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def block_means(values: Sequence[float], most: int = MAX_POINTS) -> list[float]:
    """Return the means of at most `most` blocks of equal length, without an incomplete last one."""
    size = -(-len(values) // most)
    return [fmean(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float]:
    """Fit ys = a + b * xs by least squares.

    Not `statistics.linear_regression`: that refuses constant xs.

    Returns:
        a, b and the sum of squared residuals.
    """
    mean_x, mean_y = fmean(xs), fmean(ys)
    variation = math.fsum((x - mean_x) ** 2 for x in xs)
    covariation = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    slope = covariation / variation if variation else 0.0
    offset = mean_y - slope * mean_x
    residual = math.fsum((y - offset - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    return offset, slope, residual


def linear_aic_margin(values: Sequence[float]) -> float:
    """Return AIC(a + b * exp(-k t)) - AIC(line): positive if the curve still falls in a line.

    AIC = n ln(RSS / n) + 2 parameters (Akaike 1974); k is the best of `DECAY_RATES`. 0 for fewer
    than four points.
    """
    ys = block_means(values)
    if len(ys) < 4:
        return 0.0
    times = [index / (len(ys) - 1) for index in range(len(ys))]
    linear = fit_line(times, ys)[2]
    exponential = min(fit_line([math.exp(-k * t) for t in times], ys)[2] for k in DECAY_RATES)
    # A perfect fit leaves rounding errors, not zero.
    rounding = len(ys) * (1e-9 * max(1.0, *map(abs, ys))) ** 2
    return len(ys) * math.log((exponential + rounding) / (linear + rounding)) + 2.0
