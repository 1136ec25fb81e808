"""What a finished stage of a search says about its ranges: coarse to fine. Light, pure.

The lecture's "coarse -> fine cross-validation in stages" (CS231n, lecture 6) as rules: the next
stage searches where the good trials lie, and further out where the best lie at an edge.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuning.refine.edges import (
    ERRORS,
    TOLD,
    Allowed,
    Edge,
    ScoredTrial,
    Space,
    best_first,
    edges_of,
    is_told,
    kept_of,
    values_of,
)
from tuning.space import Range, Values, limits

MARGIN, LEAST = 0.25, 0.5  # Decades around the kept values; decades a range has at least.
# The same on a linear scale, as shares of the range's width.
LINEAR_MARGIN, LINEAR_LEAST = 1 / 8, 1 / 4


@dataclass(frozen=True)
class Narrowed:
    """Where to search next.

    Attributes:
        space: ranges of the next stage.
        edges: where the best lay at an edge.
        kept: trials that the ranges come from.
        messages: what happened, a line each.
    """

    space: dict[str, Range | Values]
    edges: list[Edge]
    kept: int
    messages: list[str]


def narrow(space: Space, scored: Sequence[ScoredTrial], allowed: Allowed) -> Narrowed:
    """The ranges of the next stage: around the good trials, and past the edges they lie at.

    Kept are the trials within two standard errors of the best, five at least. A logarithmic range
    becomes that of their values and a quarter of a decade either side, half a decade wide at least;
    of a linear one the margin is an eighth of its width, and a quarter of it remains. Neither ends
    outside the old range but where `edges` extends it. Of a list remain the values that kept trials
    have, two at least, the neighbours of the best number, and what fewer than three trials had. A
    path that not all trials have stays as it is where fewer than three kept ones have it.

    Args:
        space: ranges of the stage.
        scored: its trials.
        allowed: None where the recipe takes a value at a path, else why not.
    """
    ranked = best_first(scored)
    if not ranked:
        return Narrowed(dict(space), [], 0, ["no trial has a score: the ranges stay as they are"])
    kept = kept_of(ranked)
    found = edges_of(space, ranked, kept, allowed)
    new: dict[str, Range | Values] = {}
    for path, old in space.items():
        here = values_of(path, old, kept)
        if not is_told(path, here, ranked):
            new[path] = old
        elif isinstance(old, Values):
            new[path] = _fewer(old, here, values_of(path, old, ranked))
        else:
            new[path] = _around(old, here, [edge for edge in found if edge.path == path])
    lines = [edge.words for edge in found]
    lines.append(f"kept {len(kept)} of {len(scored)} trials: {_reason(ranked, kept)}")
    lines += [
        f"{path}: {limits(old)} -> {limits(new[path])}"
        for path, old in space.items()
        if new[path] != old
    ]
    return Narrowed(new, found, len(kept), lines)


def coverage(trials: int, share: float) -> float:
    """How likely one of so many random trials is among the best `share`: 1 - (1 - q) ** n.

    Of 60 trials one is among the best 5 % with 95 % (Bergstra & Bengio, 2012).

    Raises:
        ValueError: a negative number of trials, or a share outside 0 to 1.
    """
    if trials < 0 or not 0.0 <= share <= 1.0:
        raise ValueError(
            "`trials >= 0` and `0 <= share <= 1` must hold, "
            f"but got trials={trials}, share={share}."
        )
    return 1.0 - (1.0 - share) ** trials


def standard_error(accuracy: float, images: int) -> float:
    """Of an accuracy over so many images: sqrt(a (1 - a) / n), as of a share.

    Raises:
        ValueError: an accuracy outside 0 to 1, or no image.
    """
    if images < 1 or not 0.0 <= accuracy <= 1.0:
        raise ValueError(
            "`images >= 1` and `0 <= accuracy <= 1` must hold, "
            f"but got images={images}, accuracy={accuracy}."
        )
    return math.sqrt(accuracy * (1.0 - accuracy) / images)


def _reason(ranked: Sequence[ScoredTrial], kept: Sequence[ScoredTrial]) -> str:
    least = ranked[0].score - ERRORS * ranked[0].se
    if kept[-1].score >= least:
        return f"those within {ERRORS:g} standard errors of the best"
    return "the best"


def _around(old: Range, kept: Sequence[float], found: Sequence[Edge]) -> Range:
    """The range of the kept values, best first, and a margin; moved out where it was extended."""
    log = old.sampling == "log"
    moved = {edge.side: edge.new for edge in found if edge.new is not None}
    # Limits of the new range; a best value from outside the old one lies inside it too.
    floor = min(moved["low"].min_value if "low" in moved else old.min_value, kept[0])
    ceiling = max(moved["high"].max_value if "high" in moved else old.max_value, kept[0])
    inside = [min(max(value, floor), ceiling) for value in kept]
    if log:
        margin, least = MARGIN, LEAST
        low, high = math.log10(min(inside)) - margin, math.log10(max(inside)) + margin
        bottom, top = math.log10(floor), math.log10(ceiling)
    else:
        width = old.max_value - old.min_value
        margin, least = LINEAR_MARGIN * width, LINEAR_LEAST * width
        low, high = min(inside) - margin, max(inside) + margin
        bottom, top = floor, ceiling
    low = bottom if "low" in moved else max(low, bottom)
    high = top if "high" in moved else min(high, top)
    # Cut at one end of the old range, it grows at the other.
    low = max(bottom, min(low, high - least))
    high = min(top, max(high, low + least))
    # The limits themselves where it ends there: 10 ** log10(x) is not always x.
    one = floor if low <= bottom else (10**low if log else low)
    other = ceiling if high >= top else (10**high if log else high)
    one, other = _outward(old, one, other)
    if old.step is not None and other - one < old.step:
        one -= old.step  # The best is one from outside the steps.
    return replace(old, min_value=max(one, floor), max_value=min(other, ceiling))


def _outward(old: Range, low: float, high: float) -> tuple[float, float]:
    """Limits at whole numbers, and a whole number of steps from the old ones."""
    unit = old.step or (1.0 if old.integer else None)
    if unit is None:
        return low, high
    start = old.min_value
    # What is a whole number of steps but for rounding stays.
    low = start + math.floor((low - start) / unit + 1e-9) * unit
    high = start + math.ceil((high - start) / unit - 1e-9) * unit
    return (round(low), round(high)) if old.integer else (low, high)


def _fewer(old: Values, kept: Sequence[Any], ranked: Sequence[Any]) -> Values:
    """The values that kept trials have, and those few trials had; two at least, as listed."""
    chosen = {old.index(value) for value in kept}
    tried = Counter(old.index(value) for value in ranked)
    chosen |= {index for index in range(len(old.values)) if tried[index] < TOLD}
    best = old.index(kept[0])
    if old.numeric:
        order = sorted(range(len(old.values)), key=lambda index: old.values[index])
        place = order.index(best) if best is not None else 0
        chosen |= set(order[max(place - 1, 0) : place + 2])
    others = [*(old.index(value) for value in ranked), *range(len(old.values))]
    while len(chosen) < min(2, len(old.values)):
        chosen.add(next(index for index in others if index not in chosen))
    return Values(tuple(value for index, value in enumerate(old.values) if index in chosen))
