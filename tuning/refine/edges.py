"""C23: where the best trials lie at the edge of a range. Light, pure.

Scores are higher where better; a trial without a finite score (a diverged one) says nothing about
where good values are and is left out. Source: CS231n notes 3, "careful with best values on border".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tuning.space import ROUNDING, Range, Values, as_json, limits, number

Space = Mapping[str, Range | Values]
# Why the recipe does not take a value at a path, or None.
Allowed = Callable[[str, Any], str | None]
Side = Literal["low", "high"]
TOP = 5  # Trials kept at least, and looked at near an edge.
TOLD = 3  # Trials that a range which not all have, or a value of a list, is judged by.
NEAR_BEST = 0.05  # Of the range, from its edge: the best trial.
# Of the range, from its edge: so many of the top. By chance .86 % an edge; 2 of 5 would be 8 %.
NEAR_TOP, MOST = 0.10, 3
ERRORS = 2.0  # Standard errors from the best within which trials are kept.
# Trials that a slope is told of, those beyond the best, and how sure it must be.
SLOPED, BEYOND, SLOPE_LEVEL = 6, 1, 0.005
SPREAD = 4.0  # Standard errors between the best and the worst, from which on a slope is one.
DECADE = 1.0  # By which a logarithmic range is extended.
# The same on a linear scale, as shares of the range's width.
WIDTH = 0.5
PARTS = (1.0, 0.5, 0.25, 0.125)  # Of an extension, tried until one is allowed.


@dataclass(frozen=True)
class ScoredTrial:
    """A trial's values and score.

    Attributes:
        values: of the paths searched; one that the trial has no use for may be missing.
        score: higher is better.
        se: standard error of the score; 0 where unknown.
        trial: its name.
    """

    values: Mapping[str, Any]
    score: float
    se: float = 0.0
    trial: str = ""


@dataclass(frozen=True)
class Edge:
    """C23: the best trials lie at an edge of a range, so the optimum may lie outside.

    Attributes:
        path: what was searched.
        value: of the best trial.
        side: the edge.
        old: the range searched.
        new: the range with that edge moved; None where it cannot be.
        near: how many of the best five lie near the edge; None where the best lies at it.
        why: why the range was not extended, or not by as much as others are.
        rising: scores rise all the way to the edge.
    """

    path: str
    value: Any
    side: Side
    old: Range | Values
    new: Range | None = None
    near: int | None = None
    why: str | None = None
    rising: bool = False

    @property
    def words(self) -> str:
        if isinstance(self.old, Values):
            most, more = ("largest", "larger") if self.side == "high" else ("smallest", "smaller")
            found = f"best {self.path} {self.value} is the {most} of the values listed"
            return f"{found}: list {more} ones"
        edge = "upper" if self.side == "high" else "lower"
        if self.rising:
            found = f"scores rise to the {edge} edge of {self.path} {limits(self.old)}"
        elif self.near is None:
            value = number(self.value, self.old, drawn=True)
            found = f"best {self.path} {value} lies at the edge of {limits(self.old)}"
        else:
            found = (
                f"{self.near} of the best {TOP} {self.path} lie near the {edge} edge of "
                f"{limits(self.old)}"
            )
        if self.new is None:
            return f"{found}: cannot be extended: {self.why}"
        end = self.new.max_value if self.side == "high" else self.new.min_value
        further = f" (no further: {self.why})" if self.why else ""
        return f"{found}: extended to {number(end, self.new)}{further}"

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "value": self.value,
            "side": self.side,
            "old": as_json(self.old),
            "new": None if self.new is None else as_json(self.new),
            "near": self.near,
            "why": self.why,
            "rising": self.rising,
            "words": self.words,
        }


def edges(space: Space, scored: Sequence[ScoredTrial], allowed: Allowed) -> list[Edge]:
    """Finds where the best trials lie at the edge of a range.

    The best within 5 % of it; of five trials and more, three of the best five within 10 %; of six
    and more, scores that rise all the way: one trial at most lies beyond the best, and ranks of
    values and scores agree (Spearman, one-sided 0.5 %), where they differ by more than luck. Of ten
    draws at random the best is farther than 5 % from the edge in six searches of ten, though the
    score rises all the way.
    A logarithmic range is extended by a decade, a linear one by half its width but not past 0, and
    by less where the recipe takes no more. A path that only worse trials have is not judged.

    Args:
        space: ranges of the stage.
        scored: its trials.
        allowed: None where the recipe takes a value at a path, else why not.

    Returns:
        In the order of the space.
    """
    ranked = best_first(scored)
    return edges_of(space, ranked, kept_of(ranked), allowed)


def best_first(scored: Sequence[ScoredTrial]) -> list[ScoredTrial]:
    """Best first, ties in their order."""
    finite = [trial for trial in scored if math.isfinite(trial.score)]
    return sorted(finite, key=lambda trial: -trial.score)


def kept_of(ranked: Sequence[ScoredTrial]) -> list[ScoredTrial]:
    if not ranked:
        return []
    least = ranked[0].score - ERRORS * ranked[0].se
    within = sum(trial.score >= least for trial in ranked)
    return list(ranked[: max(within, TOP)])


def values_of(path: str, space: Range | Values, trials: Sequence[ScoredTrial]) -> list[Any]:
    """Of the trials that have one, in their order; what no such range can hold is left out."""
    found = [trial.values[path] for trial in trials if path in trial.values]
    if isinstance(space, Values):
        return [value for value in found if space.index(value) is not None]
    return [
        value
        for value in found
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (value > 0 or space.sampling == "linear")
        and (not space.integer or float(value).is_integer())
    ]


def is_told(path: str, here: Sequence[Any], ranked: Sequence[ScoredTrial]) -> bool:
    """Whether kept trials say enough of a path: one, or some where not all trials have it."""
    shared = all(path in trial.values for trial in ranked)
    return len(here) >= (1 if shared else TOLD)


def edges_of(
    space: Space, ranked: Sequence[ScoredTrial], kept: Sequence[ScoredTrial], allowed: Allowed
) -> list[Edge]:
    found: list[Edge] = []
    for path, old in space.items():
        if not is_told(path, values_of(path, old, kept), ranked):
            continue
        values = values_of(path, old, ranked)
        if isinstance(old, Values):
            found += _last(path, old, values[0])
            continue
        positions = [_position(old, value) for value in values[:TOP]]
        for side in ("low", "high"):
            away = [u if side == "low" else 1.0 - u for u in positions]
            near = sum(distance <= NEAR_TOP for distance in away)
            if away[0] <= NEAR_BEST:
                found.append(_extended(path, old, values[0], side, None, allowed))
            elif len(away) == TOP and near >= MOST:
                found.append(_extended(path, old, values[0], side, near, allowed))
            elif _rises(path, old, ranked, side):
                edge = _extended(path, old, values[0], side, None, allowed)
                found.append(replace(edge, rising=True))
    return found


def _rises(path: str, old: Range, ranked: Sequence[ScoredTrial], side: Side) -> bool:
    """Whether scores rise all the way to an edge."""
    pairs = [
        (_position(old, value), trial.score)
        for trial in ranked
        for value in values_of(path, old, [trial])
    ]
    if len(pairs) < SLOPED:
        return False
    scores = [score for _, score in pairs]
    if max(scores) - min(scores) <= SPREAD * ranked[0].se:
        return False  # They differ by luck.
    sign = 1.0 if side == "high" else -1.0
    away = [sign * position for position, _ in pairs]
    if sum(distance > away[0] for distance in away) > BEYOND:
        return False
    rho = _correlation(_ranks(away), _ranks(scores))
    if rho >= 1.0 - ROUNDING:
        return True
    from scipy.special import stdtr  # type: ignore[import-untyped]

    freedom = len(pairs) - 2
    t = rho * math.sqrt(freedom / (1.0 - rho**2))
    return rho > 0 and float(stdtr(freedom, -t)) < SLOPE_LEVEL


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 0; equal values share their mean."""
    order = sorted(values)
    first = {value: order.index(value) for value in set(values)}
    return [first[value] + (order.count(value) - 1) / 2 for value in values]


def _correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Pearson's r; 0 where one of them is constant."""
    means = sum(one) / len(one), sum(other) / len(other)
    pairs = [(a - means[0], b - means[1]) for a, b in zip(one, other, strict=True)]
    power = math.sqrt(sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs))
    return sum(a * b for a, b in pairs) / power if power else 0.0


def _position(space: Range, value: float) -> float:
    """From 0 to 1, also of a value from outside, such as the recipe's own."""
    return space.position(min(max(value, space.min_value), space.max_value))


def _last(path: str, old: Values, best: Any) -> list[Edge]:
    """A number at the end of a list: nobody knows the next, so it is only said."""
    if not old.numeric or len(old.values) < 2:
        return []
    side: Side
    if best == max(old.values):
        side, more = "high", "larger"
    elif best == min(old.values):
        side, more = "low", "smaller"
    else:
        return []
    return [Edge(path, best, side, old, why=f"list {more} values")]


def _extended(
    path: str, old: Range, best: Any, side: Side, near: int | None, allowed: Allowed
) -> Edge:
    """The edge moved out as far as the recipe allows."""
    why = None
    for end in _ends(old, side):
        reason = allowed(path, end)
        if reason is None:
            high = side == "high"
            new = replace(old, max_value=end) if high else replace(old, min_value=end)
            return Edge(path, best, side, old, new, near, why)
        why = why or reason
    if why is None:
        last = old.max_value if side == "high" else old.min_value
        why = f"it ends at {number(last, old)}"
    return Edge(path, best, side, old, None, near, why)


def _ends(old: Range, side: Side) -> Iterator[float]:
    """Where an edge may be moved to, furthest first; nothing where it may not."""
    last = old.max_value if side == "high" else old.min_value
    tried = last
    for part in PARTS:
        end = _out(old, side, part)
        if math.isfinite(end) and end not in (last, tried):
            tried = end
            yield end


def _out(old: Range, side: Side, part: float) -> float:
    """An edge moved out by a part of an extension, to whole numbers and steps where need be."""
    low, high = old.min_value, old.max_value
    if old.sampling == "log":
        factor = 10 ** (part * DECADE)
        end = low / factor if side == "low" else high * factor
        if old.integer:
            end = max(math.floor(end), 1) if side == "low" else _ceil(end)
        return end if end > 0 else low
    by = part * WIDTH * (high - low)
    unit = old.step or (1.0 if old.integer else None)
    if unit is not None:
        by = math.ceil(by / unit) * unit
    if side == "low":
        end = max(low - by, 0.0) if low >= 0 else low - by
    else:
        end = min(high + by, 0.0) if high <= 0 else high + by
    if abs(end) < ROUNDING * by:
        end = 0.0  # As 0.2 less half of 0.6 - 0.2.
    return round(end) if old.integer and math.isfinite(end) else end


def _ceil(value: float) -> float:
    return math.ceil(value) if math.isfinite(value) else value
