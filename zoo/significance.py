"""How sure a measurement is: intervals, tests of two models, spread over seeds. Light.

Sources:
- McNemar 1947, "Note on the sampling error of the difference between correlated proportions".
- Fagerland, Lydersen & Laake 2013, "The McNemar test for binary matched-pairs data: mid-p and
  asymptotic are better than exact conditional", which finds that the mid-p test keeps its level
  without being as cautious as the exact one.
- Bonett & Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions
  based on paired data".
- Dietterich 1998, "Approximate statistical tests for comparing supervised classification learning
  algorithms": McNemar's test compares two trained models, not the recipes that made them, since it
  sees no second training.
- Wilson 1927, "Probable inference, the law of succession, and statistical inference".
- Hand, Christen & Kirielle 2021, "F*: an interpretable transformation of the F-measure".
- Welch 1947, "The generalization of `Student's' problem when several different population variances
  are involved".
- Holm 1979, "A simple sequentially rejective multiple test procedure".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

LEVEL = 0.05  # A p-value below counts as more than luck.
CONFIDENCE = 0.95  # Of intervals.
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
# The exact binomial test below so many discordant pairs, its mid-p variant from there on.
EXACT_BELOW = 25
ROUNDING_ERROR = 1e-9  # Relative difference of scores that are equal but for rounding.


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two models on the same images.

    Attributes:
        only_first: number of images that the first model has right and the second one wrong.
        only_second: the reverse.
        images: number of images.
        p: two-sided p-value of the hypothesis that both are right equally often.
        method: `exact` or `mid-p`.
        difference: accuracy of the second less that of the first.
        low: lower end of the 95 % interval of the difference.
        high: upper end.
    """

    only_first: int
    only_second: int
    images: int
    p: float
    method: str
    difference: float
    low: float
    high: float


def mcnemar(only_first: int, only_second: int, images: int) -> McNemar:
    """Compare two models on the same images, by those that one of them alone has right.

    Under the hypothesis each such image is a fair coin. Below 25 of them the test is the exact
    binomial one; from 25 on its mid-p variant, which counts half the probability of the observed
    split. Without such images the p-value is 1.

    Args:
        only_first: number of images that the first model has right and the second one wrong.
        only_second: the reverse.
        images: number of images.

    Raises:
        ValueError: the numbers are negative, or more than `images`.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > images or not images:
        raise ValueError(
            "`0 <= only_first + only_second <= images` must hold, but got "
            f"only_first={only_first}, only_second={only_second}, images={images}."
        )
    discordant, fewer = only_first + only_second, min(only_first, only_second)
    exact = discordant < EXACT_BELOW
    if exact:
        tail = sum(math.comb(discordant, count) for count in range(fewer + 1)) / 2**discordant
        p = min(2.0 * tail, 1.0)
    else:
        from scipy.special import bdtr  # type: ignore[import-untyped]

        up_to = float(bdtr(fewer, discordant, 0.5))
        below = float(bdtr(fewer - 1, discordant, 0.5)) if fewer else 0.0
        p = min(up_to + below, 1.0)  # Twice (P(X < fewer) + P(X = fewer) / 2).
    return McNemar(
        only_first, only_second, images, p, "exact" if exact else "mid-p",
        (only_second - only_first) / images, *paired_interval(only_first, only_second, images),
    )  # fmt: skip


def paired_interval(only_first: int, only_second: int, images: int) -> tuple[float, float]:
    """95 % interval of the difference of two accuracies on the same images (Bonett & Price 2012).

    With p1 = (only_first + 1) / (images + 2) and p2 likewise: p2 - p1 -+ z sqrt((p1 + p2 -
    (p2 - p1)^2) / (images + 2)), kept within -1 and 1.
    """
    first, second = ((count + 1) / (images + 2) for count in (only_first, only_second))
    centre = second - first
    width = Z * math.sqrt(max(first + second - centre**2, 0.0) / (images + 2))
    return max(centre - width, -1.0), min(centre + width, 1.0)


def wilson(hits: float, total: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927).

    With p = hits / n: (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).

    Args:
        hits: number of hits.
        total: n, number of trials; without any the interval is 0 to 1.
    """
    if total <= 0:
        return 0.0, 1.0
    share, z = hits / total, Z
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(max(share * (1 - share), 0) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def accuracy_interval(accuracy: float | None, images: int | None) -> tuple[float, float] | None:
    """95 % interval of an accuracy (`wilson`); None where one of the two is not known.

    Args:
        accuracy: share of the images that are right.
        images: number of images.
    """
    return wilson(round(accuracy * images), images) if accuracy is not None and images else None


def f1_interval(hits: float, misses_and_false: float) -> tuple[float, float]:
    """95 % interval of F1.

    F1 = 2J / (1 + J) grows with J, the share of hits among hits, misses and false alarms (Hand et
    al. 2021). J is a share, so that Wilson's interval of J gives that of F1.

    Args:
        hits: true positives.
        misses_and_false: false negatives and false positives together.
    """
    low, high = wilson(hits, hits + misses_and_false)
    return 2 * low / (1 + low), 2 * high / (1 + high)


@dataclass(frozen=True)
class Spread:
    """A metric over several trainings of one recipe.

    Attributes:
        count: number of trainings.
        mean: of the metric.
        sd: sample standard deviation; None with one training.
        low: lower end of the 95 % interval of the mean by Student's t; None with one training.
        high: upper end.
    """

    count: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and Student's t interval of the mean: mean -+ t s / sqrt(n).

    Args:
        values: finite.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("`values` must hold at least one.")
    mean = fmean(values)
    if len(values) < 2:
        return Spread(1, mean, None, None, None)
    from scipy.special import stdtrit

    sd = stdev(values)
    quantile = float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2))
    width = quantile * sd / math.sqrt(len(values))
    return Spread(len(values), mean, sd, mean - width, mean + width)


def welch(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided p-value of Welch's t test that two means are equal.

    Scores that are all equal within each group have no spread to judge by: their p-value is 0 if
    the means differ, else 1.

    Args:
        first: finite scores.
        second: likewise.

    Returns:
        The p-value; None if a group has fewer than two scores.
    """
    groups = (first, second)
    if min(map(len, groups)) < 2:
        return None
    means = [fmean(group) for group in groups]
    variances = [stdev(group) ** 2 / len(group) for group in groups]
    error, difference = math.sqrt(sum(variances)), abs(means[0] - means[1])
    tolerance = ROUNDING_ERROR * max(map(abs, means))
    if error <= tolerance:
        return 0.0 if difference > tolerance else 1.0
    # scipy.stats.ttest_ind does this too, but takes seconds to import.
    from scipy.special import stdtr

    # Degrees of freedom by Welch-Satterthwaite, from fractions of the variance, whose squares do
    # not underflow.
    fractions = [variance / sum(variances) for variance in variances]
    degrees = 1.0 / sum(
        fraction**2 / (len(group) - 1) for fraction, group in zip(fractions, groups, strict=True)
    )
    return 2.0 * float(stdtr(degrees, -difference / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, by Holm's step-down method.

    The i-th smallest of m becomes the largest of (m - j + 1) p_j over all j <= i, at most 1. To
    reject those below 5 % keeps the probability of any false rejection below 5 %.

    Args:
        p_values: from 0 to 1.

    Returns:
        In the same order.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        corrected[index] = min(largest, 1.0)
    return corrected
