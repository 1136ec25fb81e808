"""C23: the best trials lie at the edge of a range, so that the optimum may lie outside. Light.

Source: CS231n notes 3, "careful with best values on border".
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tuning.space import ROUNDING, Choice, Dimension, Range, Space, as_json, limits, number

# Why the recipe refuses a value at a path; None if it takes it.
Refused = Callable[[str, Any], str | None]
Side = Literal["low", "high"]

# Trials within two standard errors of the best are kept, five at least.
KEPT_STANDARD_ERRORS = 2.0
MIN_TRIALS_KEPT = 5
MIN_TRIALS_FOR_CONDITIONAL_RANGE = 3  # Kept trials that have the path, if not all trials have it.

# Rule 1: the best trial lies within this fraction of the range from an edge.
BEST_EDGE_FRACTION = 0.05

# Rule 2: 3 of the 5 best trials lie within this fraction of the range from an edge.
# Under a uniform draw that happens by chance at 0.86 % of edges; 2 of 5 would at 8 %.
TOP_TRIALS = 5
TOP_EDGE_FRACTION = 0.10
TOP_TRIALS_NEAR_EDGE = 3

# Rule 3: scores rise up to the edge (one-sided Spearman test, at least 6 trials, at most one trial
# between the best and the edge), and differ by more than luck.
TREND_MIN_TRIALS = 6
TREND_MAX_TRIALS_BEYOND_BEST = 1
TREND_P_VALUE = 0.005
TREND_MIN_STANDARD_ERRORS = 4.0  # Between the best and the worst score.

LINEAR_EXTENSION = 0.5  # Fraction of the range's width.
LOG_EXTENSION = 1.0  # Decades.
EXTENSION_STEPS = (1.0, 0.5, 0.25, 0.125)  # Shrink the extension until the recipe accepts it.


@dataclass(frozen=True)
class ScoredTrial:
    """A trial as the rules of a search compare it.

    Attributes:
        values: by path; a conditional path may be missing.
        score: higher is better. Trials whose score is not finite are left out.
        se: standard error of the score; 0 if unknown.
        trial: its name.
    """

    values: Mapping[str, Any]
    score: float
    se: float = 0.0
    trial: str = ""


@dataclass(frozen=True)
class Edge:
    """A range whose best values lie at its edge.

    Attributes:
        path: the searched path.
        value: the best trial's value.
        side: which edge of the range.
        old: the range searched.
        new: the range with that edge moved out; None if it cannot be.
        near: rule 2: number of the best five that lie near the edge; None for another rule.
        why: why the range was not extended, or not by as much as others are.
        rising: whether the edge was found by rule 3.
    """

    path: str
    value: Any
    side: Side
    old: Dimension
    new: Range | None = None
    near: int | None = None
    why: str | None = None
    rising: bool = False

    @property
    def words(self) -> str:
        """A sentence that says what lies at the edge, and what was done."""
        if isinstance(self.old, Choice):
            extreme, further = (
                ("largest", "larger") if self.side == "high" else ("smallest", "smaller")
            )
            return (
                f"best {self.path} {self.value} is the {extreme} of the values listed: "
                f"list {further} ones"
            )
        edge = "upper" if self.side == "high" else "lower"
        if self.rising:
            finding = f"scores rise to the {edge} edge of {self.path} {limits(self.old)}"
        elif self.near is None:
            value = number(self.value, self.old, drawn=True)
            finding = f"best {self.path} {value} lies at the edge of {limits(self.old)}"
        else:
            finding = (
                f"{self.near} of the best {TOP_TRIALS} {self.path} lie near the {edge} edge of "
                f"{limits(self.old)}"
            )
        if self.new is None:
            return f"{finding}: cannot be extended: {self.why}"
        end = self.new.max_value if self.side == "high" else self.new.min_value
        reason = f" (no further: {self.why})" if self.why else ""
        return f"{finding}: extended to {number(end, self.new)}{reason}"

    def as_json(self) -> dict[str, Any]:
        """The edge's entry in tune.json."""
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


def edges(space: Space, trials: Sequence[ScoredTrial], refused: Refused) -> list[Edge]:
    """Finds the ranges whose best values lie at an edge, by the first of three rules that holds.

    1. The best value lies within 5 % of the edge.
    2. Of five trials or more, three of the best five lie within 10 % of it.
    3. Of six trials or more, scores rise up to the edge: values and scores correlate (Spearman,
       one-sided, 0.5 %), at most one trial lies beyond the best, and scores differ by more than
       luck. If scores rise up to the edge, the best of ten random draws still lies farther than 5 %
       from it in six searches of ten.

    A logarithmic range is extended by a decade, a linear one by half its width but not past 0; by
    less if the recipe refuses that. A path that only worse trials have is not judged.

    Args:
        space: ranges of the stage, by path.
        trials: trials of the stage.
        refused: see `Refused`.

    Returns:
        The edges, in the order of the space.
    """
    ranked = best_first(trials)
    return edges_of(space, ranked, keep_best(ranked), refused)


def best_first(trials: Sequence[ScoredTrial]) -> list[ScoredTrial]:
    """The trials with a finite score, best first; ties in their order."""
    finite = [trial for trial in trials if math.isfinite(trial.score)]
    return sorted(finite, key=lambda trial: -trial.score)


def keep_best(ranked: Sequence[ScoredTrial]) -> list[ScoredTrial]:
    """The trials within two standard errors of the best, five at least."""
    if not ranked:
        return []
    within = sum(trial.score >= lowest_kept(ranked[0]) for trial in ranked)
    return list(ranked[: max(within, MIN_TRIALS_KEPT)])


def lowest_kept(best: ScoredTrial) -> float:
    """The score two standard errors below the best."""
    return best.score - KEPT_STANDARD_ERRORS * best.se


def values_of(path: str, dimension: Dimension, trials: Sequence[ScoredTrial]) -> list[Any]:
    """The values that the trials have at a path, without those that the dimension cannot hold."""
    values = [trial.values[path] for trial in trials if path in trial.values]
    if isinstance(dimension, Choice):
        return [value for value in values if dimension.index(value) is not None]
    return [
        value
        for value in values
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (value > 0 or dimension.sampling == "linear")
        and (not dimension.integer or float(value).is_integer())
    ]


def can_judge(path: str, kept_values: Sequence[Any], ranked: Sequence[ScoredTrial]) -> bool:
    """Whether enough kept trials have a path: one, or three if not all trials have it."""
    unconditional = all(path in trial.values for trial in ranked)
    return len(kept_values) >= (1 if unconditional else MIN_TRIALS_FOR_CONDITIONAL_RANGE)


def edges_of(
    space: Space,
    ranked: Sequence[ScoredTrial],
    best_trials: Sequence[ScoredTrial],
    refused: Refused,
) -> list[Edge]:
    """Finds edges, as `edges` does.

    Args:
        space: ranges of the stage, by path.
        ranked: trials of the stage, best first.
        best_trials: those that `keep_best` returns.
        refused: see `Refused`.
    """
    result: list[Edge] = []
    for path, dimension in space.items():
        if not can_judge(path, values_of(path, dimension, best_trials), ranked):
            continue
        if isinstance(dimension, Choice):
            result += _end_of_list(path, dimension, values_of(path, dimension, ranked)[0])
        else:
            for side in ("low", "high"):
                result += _edge(path, dimension, side, ranked, refused)
    return result


def _edge(
    path: str, old: Range, side: Side, ranked: Sequence[ScoredTrial], refused: Refused
) -> list[Edge]:
    """One edge of a range: none, or the first rule that holds."""
    values = values_of(path, old, ranked)
    positions = [_position(old, value) for value in values[:TOP_TRIALS]]
    distances = [u if side == "low" else 1.0 - u for u in positions]
    near = sum(distance <= TOP_EDGE_FRACTION for distance in distances)
    best = values[0]
    if distances[0] <= BEST_EDGE_FRACTION:
        return [_extended(path, old, best, side, None, refused)]
    if len(distances) == TOP_TRIALS and near >= TOP_TRIALS_NEAR_EDGE:
        return [_extended(path, old, best, side, near, refused)]
    if _scores_rise(path, old, ranked, side):
        return [replace(_extended(path, old, best, side, None, refused), rising=True)]
    return []


def _scores_rise(path: str, old: Range, ranked: Sequence[ScoredTrial], side: Side) -> bool:
    """Rule 3: whether scores rise up to an edge."""
    pairs = [
        (_position(old, value), trial.score)
        for trial in ranked
        for value in values_of(path, old, [trial])
    ]
    if len(pairs) < TREND_MIN_TRIALS:
        return False
    scores = [score for _, score in pairs]
    if max(scores) - min(scores) <= TREND_MIN_STANDARD_ERRORS * ranked[0].se:
        return False
    direction = 1.0 if side == "high" else -1.0
    outward = [direction * position for position, _ in pairs]
    if sum(place > outward[0] for place in outward) > TREND_MAX_TRIALS_BEYOND_BEST:
        return False
    # By hand: scipy.stats takes seconds to import, scipy.special a tenth of that.
    rho = _correlation(_ranks(outward), _ranks(scores))
    if rho >= 1.0 - ROUNDING:
        return True
    from scipy.special import stdtr  # type: ignore[import-untyped]

    degrees = len(pairs) - 2
    t = rho * math.sqrt(degrees / (1.0 - rho**2))
    return rho > 0 and float(stdtr(degrees, -t)) < TREND_P_VALUE


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 0; equal values share their mean rank."""
    order = sorted(values)
    return [(bisect_left(order, value) + bisect_right(order, value) - 1) / 2 for value in values]


def _correlation(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Pearson's r; 0 if `xs` or `ys` is constant, where `statistics.correlation` raises."""
    means = sum(xs) / len(xs), sum(ys) / len(ys)
    pairs = [(x - means[0], y - means[1]) for x, y in zip(xs, ys, strict=True)]
    norm = math.sqrt(sum(x * x for x, _ in pairs) * sum(y * y for _, y in pairs))
    return sum(x * y for x, y in pairs) / norm if norm else 0.0


def _position(dimension: Range, value: float) -> float:
    """Where a value lies in a range, from 0 to 1; clipped, as the recipe's own may lie outside."""
    return dimension.position(min(max(value, dimension.min_value), dimension.max_value))


def _end_of_list(path: str, old: Choice, best: Any) -> list[Edge]:
    """A number at the end of a list. The next one is unknown, so the list is not extended."""
    if not old.numeric or len(old.values) < 2:
        return []
    if best == max(old.values):
        return [Edge(path, best, "high", old, why="list larger values")]
    if best == min(old.values):
        return [Edge(path, best, "low", old, why="list smaller values")]
    return []


def _extended(
    path: str, old: Range, best: Any, side: Side, near: int | None, refused: Refused
) -> Edge:
    """The edge, moved out as far as the recipe accepts."""
    first_reason = None
    for end in _candidate_ends(old, side):
        reason = refused(path, end)
        if reason is None:
            new = replace(old, max_value=end) if side == "high" else replace(old, min_value=end)
            return Edge(path, best, side, old, new, near, first_reason)
        first_reason = first_reason or reason
    if first_reason is None:
        end = old.max_value if side == "high" else old.min_value
        first_reason = f"it ends at {number(end, old)}"
    return Edge(path, best, side, old, None, near, first_reason)


def _candidate_ends(old: Range, side: Side) -> Iterator[float]:
    """Where an edge may be moved to, farthest first; nothing if it cannot be moved."""
    current = old.max_value if side == "high" else old.min_value
    previous = current
    for fraction in EXTENSION_STEPS:
        end = _moved_out(old, side, fraction)
        if math.isfinite(end) and end not in (current, previous):
            previous = end
            yield end


def _moved_out(old: Range, side: Side, fraction: float) -> float:
    """An edge moved out by a fraction of an extension, to a whole number or step if need be."""
    low, high = old.min_value, old.max_value
    if old.sampling == "log":
        factor = 10 ** (fraction * LOG_EXTENSION)
        end = low / factor if side == "low" else high * factor
        if old.integer:
            end = max(math.floor(end), 1) if side == "low" else _ceil(end)
        return end if end > 0 else low
    distance = fraction * LINEAR_EXTENSION * (high - low)
    unit = old.step or (1.0 if old.integer else None)
    if unit is not None:
        distance = math.ceil(distance / unit) * unit
    if side == "low":
        end = max(low - distance, 0.0) if low >= 0 else low - distance
    else:
        end = min(high + distance, 0.0) if high <= 0 else high + distance
    if abs(end) < ROUNDING * distance:
        end = 0.0  # As 0.2 less half of 0.6 - 0.2.
    return round(end) if old.integer and math.isfinite(end) else end


def _ceil(value: float) -> float:
    return math.ceil(value) if math.isfinite(value) else value
