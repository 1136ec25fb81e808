"""The ranges of the next stage: coarse to fine, around the good trials. Light.

Source: "coarse -> fine cross-validation in stages", CS231n, lecture 6.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuning.refine.edges import (
    KEPT_STANDARD_ERRORS,
    Edge,
    Refused,
    ScoredTrial,
    best_first,
    can_judge,
    edges_of,
    keep_best,
    lowest_kept,
    values_of,
)
from tuning.space import Choice, Dimension, Range, Space, limits

# Around the kept values, and the least width of a range; in decades on a logarithmic scale.
LOG_MARGIN, LOG_MIN_WIDTH = 0.25, 0.5
# The same on a linear scale, as fractions of the old range's width.
LINEAR_MARGIN, LINEAR_MIN_WIDTH = 1 / 8, 1 / 4
MIN_TRIALS_TO_DROP_VALUE = 3  # A value of a list that fewer trials had is not dropped.


@dataclass(frozen=True)
class Narrowed:
    """The ranges of the next stage, and how they came about.

    Attributes:
        space: ranges of the next stage, by path.
        edges: ranges whose best values lie at an edge.
        kept: number of trials that the ranges come from.
        messages: sentences on what changed and why.
    """

    space: dict[str, Dimension]
    edges: list[Edge]
    kept: int
    messages: list[str]


def narrow(space: Space, trials: Sequence[ScoredTrial], refused: Refused) -> Narrowed:
    """Computes the ranges of the next stage from the trials of this one.

    The trials within two standard errors of the best are kept, five at least.

    - A logarithmic range becomes that of their values, and a quarter of a decade on either side;
      half a decade wide at least.
    - A linear range becomes that of their values, and an eighth of its width on either side; a
      quarter of its width at least.
    - Neither leaves the old range, unless `edges` extends it.
    - A list keeps the values that kept trials have, the neighbours of the best number, and values
      that fewer than three trials had; two at least.
    - A path that not all trials have stays as it is if fewer than three kept ones have it.

    Args:
        space: ranges of the stage, by path.
        trials: trials of the stage.
        refused: why the recipe refuses a value at a path; None if it takes it.
    """
    ranked = best_first(trials)
    if not ranked:
        return Narrowed(dict(space), [], 0, ["no trial has a score: the ranges stay as they are"])
    best_trials = keep_best(ranked)
    edges = edges_of(space, ranked, best_trials, refused)
    new: dict[str, Dimension] = {}
    for path, old in space.items():
        best_values = values_of(path, old, best_trials)
        if not can_judge(path, best_values, ranked):
            new[path] = old
        elif isinstance(old, Choice):
            new[path] = _shorter_list(old, best_values, values_of(path, old, ranked))
        else:
            moved = [edge for edge in edges if edge.path == path]
            new[path] = _range_around(old, best_values, moved)
    messages = [edge.words for edge in edges]
    messages.append(
        f"kept {len(best_trials)} of {len(trials)} trials: {_reason(ranked, best_trials)}"
    )
    messages += [
        f"{path}: {limits(old)} -> {limits(new[path])}"
        for path, old in space.items()
        if new[path] != old
    ]
    return Narrowed(new, edges, len(best_trials), messages)


def coverage(trials: int, fraction: float) -> float:
    """Probability that random trials hit the best `fraction` of the space: 1 - (1 - q) ** n.

    At least one of 60 trials lies in the best 5 % with 95 % (Bergstra & Bengio, 2012).

    Args:
        trials: number of trials.
        fraction: fraction of the space, from 0 to 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if trials < 0 or not 0.0 <= fraction <= 1.0:
        raise ValueError(
            "`trials >= 0` and `0 <= fraction <= 1` must hold, "
            f"but got trials={trials}, fraction={fraction}."
        )
    return 1.0 - (1.0 - fraction) ** trials


def accuracy_error(accuracy: float, images: float) -> float:
    """Standard error of an accuracy: sqrt(a (1 - a) / n), as of any proportion.

    Args:
        accuracy: from 0 to 1.
        images: number of images that it was measured on.

    Raises:
        ValueError: an argument is out of range.
    """
    if images < 1 or not 0.0 <= accuracy <= 1.0:
        raise ValueError(
            "`images >= 1` and `0 <= accuracy <= 1` must hold, "
            f"but got images={images}, accuracy={accuracy}."
        )
    return math.sqrt(accuracy * (1.0 - accuracy) / images)


def _reason(ranked: Sequence[ScoredTrial], best_trials: Sequence[ScoredTrial]) -> str:
    """The rule by which trials were kept, as the end of a sentence."""
    if best_trials[-1].score >= lowest_kept(ranked[0]):
        return f"those within {KEPT_STANDARD_ERRORS:g} standard errors of the best"
    return "the best"


def _range_around(old: Range, best_values: Sequence[float], edges: Sequence[Edge]) -> Range:
    """The range of the best trials' values and a margin, moved out at the edges that are extended.

    Args:
        old: the stage's range.
        best_values: values of the kept trials, that of the best trial first.
        edges: the edges of this range.
    """
    log = old.sampling == "log"
    moved = {edge.side: edge.new for edge in edges if edge.new is not None}
    # The new range's limits. The best value lies inside them, even if it is the recipe's own and
    # lies outside the old range.
    floor = min(moved["low"].min_value if "low" in moved else old.min_value, best_values[0])
    ceiling = max(moved["high"].max_value if "high" in moved else old.max_value, best_values[0])
    inside = [min(max(value, floor), ceiling) for value in best_values]
    if log:
        margin, min_width = LOG_MARGIN, LOG_MIN_WIDTH
        low, high = math.log10(min(inside)) - margin, math.log10(max(inside)) + margin
        bottom, top = math.log10(floor), math.log10(ceiling)
    else:
        width = old.max_value - old.min_value
        margin, min_width = LINEAR_MARGIN * width, LINEAR_MIN_WIDTH * width
        low, high = min(inside) - margin, max(inside) + margin
        bottom, top = floor, ceiling
    low = bottom if "low" in moved else max(low, bottom)
    high = top if "high" in moved else min(high, top)
    # Cut at one end of the old range, it grows at the other.
    low = max(bottom, min(low, high - min_width))
    high = min(top, max(high, low + min_width))
    # At a limit, the limit itself: 10 ** log10(x) is not always x.
    start = floor if low <= bottom else (10**low if log else low)
    end = ceiling if high >= top else (10**high if log else high)
    start, end = _outward(old, start, end)
    if old.step is not None and end - start < old.step:
        start -= old.step  # The best value lies between two steps.
    return replace(old, min_value=max(start, floor), max_value=min(end, ceiling))


def _outward(old: Range, low: float, high: float) -> tuple[float, float]:
    """Moves limits out to whole numbers, and to a whole number of steps from the old ones."""
    unit = old.step or (1.0 if old.integer else None)
    if unit is None:
        return low, high
    start = old.min_value
    # The tolerance keeps a limit that is a whole number of steps but for rounding.
    low = start + math.floor((low - start) / unit + 1e-9) * unit
    high = start + math.ceil((high - start) / unit - 1e-9) * unit
    return (round(low), round(high)) if old.integer else (low, high)


def _shorter_list(old: Choice, best_values: Sequence[Any], ranked: Sequence[Any]) -> Choice:
    """The values of a list that stay.

    Args:
        old: the stage's list.
        best_values: values of the kept trials, that of the best trial first.
        ranked: values of all trials, likewise.
    """
    chosen = {old.index(value) for value in best_values}
    uses = Counter(old.index(value) for value in ranked)
    chosen |= {index for index in range(len(old.values)) if uses[index] < MIN_TRIALS_TO_DROP_VALUE}
    best = old.index(best_values[0])
    if old.numeric:
        order = sorted(range(len(old.values)), key=lambda index: old.values[index])
        place = order.index(best) if best is not None else 0
        chosen |= set(order[max(place - 1, 0) : place + 2])
    spares = [*(old.index(value) for value in ranked), *range(len(old.values))]
    while len(chosen) < min(2, len(old.values)):
        chosen.add(next(index for index in spares if index not in chosen))
    return Choice(tuple(value for index, value in enumerate(old.values) if index in chosen))
