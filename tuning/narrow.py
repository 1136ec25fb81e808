"""What a finished stage of a search says about its ranges: coarse to fine. Light, pure.

The lecture's "coarse -> fine cross-validation in stages" (CS231n, lecture 6) as rules: the next
stage searches where the good trials lie, and further out where the best lie at an edge. Scores are
higher where better; a trial without a finite score (a diverged one) says nothing about where good
values are and is left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tuning.space import ROUNDING, Range, Values

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
MARGIN, LEAST = 0.25, 0.5  # Decades around the kept values; decades a range has at least.
# The same on a linear scale, as shares of the range's width.
WIDTH, LINEAR_MARGIN, LINEAR_LEAST = 0.5, 1 / 8, 1 / 4
PARTS = (1.0, 0.5, 0.25, 0.125)  # Of an extension, tried until one is allowed.


@dataclass(frozen=True)
class Scored:
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


@dataclass(frozen=True)
class Narrowed:
    """Where to search next.

    Attributes:
        space: ranges of the next stage.
        edges: where the best lay at an edge.
        kept: trials that the ranges come from.
        words: what happened, a line each.
    """

    space: dict[str, Range | Values]
    edges: list[Edge]
    kept: int
    words: list[str]


def edges(space: Space, scored: Sequence[Scored], allowed: Allowed) -> list[Edge]:
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
    ranked = _ranked(scored)
    return _edges(space, ranked, _kept(ranked), allowed)


def narrowed(space: Space, scored: Sequence[Scored], allowed: Allowed) -> Narrowed:
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
    ranked = _ranked(scored)
    if not ranked:
        return Narrowed(dict(space), [], 0, ["no trial has a score: the ranges stay as they are"])
    kept = _kept(ranked)
    found = _edges(space, ranked, kept, allowed)
    new: dict[str, Range | Values] = {}
    for path, old in space.items():
        here = _values(path, old, kept)
        if not _judged(path, here, ranked):
            new[path] = old
        elif isinstance(old, Values):
            new[path] = _fewer(old, here, _values(path, old, ranked))
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


def limits(space: Range | Values) -> str:
    """A range or a list in words, such as [1e-4, 1] or {16, 32, 64}."""
    if isinstance(space, Values):
        return "{" + ", ".join(str(value) for value in space.values) + "}"
    return f"[{number(space.min_value, space)}, {number(space.max_value, space)}]"


def number(value: float, space: Range, drawn: bool = False) -> str:
    """A number of a range in words: three digits; one drawn on a logarithmic scale as 9.5e-1."""
    if space.integer:
        return f"{value:.0f}"
    if drawn and space.sampling == "log":
        text = f"{value:.1e}"
    elif value != 0 and not 1e-2 <= abs(value) < 1e4:
        text = f"{value:.2e}"
    else:
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.6g}"
    digits, _, exponent = text.partition("e")
    if "." in digits and not drawn:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits}e{int(exponent)}"


def as_json(space: Range | Values) -> dict[str, Any]:
    """A range or a list in KerasTuner's words, what it leaves out not among them."""
    if isinstance(space, Values):
        return {"values": list(space.values)}
    found: dict[str, Any] = {
        "min_value": space.min_value,
        "max_value": space.max_value,
        "sampling": space.sampling,
    }
    if space.integer:
        found["integer"] = True
    if space.step is not None:
        found["step"] = space.step
    return found


def _ranked(scored: Sequence[Scored]) -> list[Scored]:
    """Best first, ties in their order."""
    finite = [trial for trial in scored if math.isfinite(trial.score)]
    return sorted(finite, key=lambda trial: -trial.score)


def _kept(ranked: Sequence[Scored]) -> list[Scored]:
    if not ranked:
        return []
    least = ranked[0].score - ERRORS * ranked[0].se
    within = sum(trial.score >= least for trial in ranked)
    return list(ranked[: max(within, TOP)])


def _reason(ranked: Sequence[Scored], kept: Sequence[Scored]) -> str:
    least = ranked[0].score - ERRORS * ranked[0].se
    if kept[-1].score >= least:
        return f"those within {ERRORS:g} standard errors of the best"
    return "the best"


def _values(path: str, space: Range | Values, trials: Sequence[Scored]) -> list[Any]:
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


def _edges(
    space: Space, ranked: Sequence[Scored], kept: Sequence[Scored], allowed: Allowed
) -> list[Edge]:
    found: list[Edge] = []
    for path, old in space.items():
        if not _judged(path, _values(path, old, kept), ranked):
            continue
        values = _values(path, old, ranked)
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


def _rises(path: str, old: Range, ranked: Sequence[Scored], side: Side) -> bool:
    """Whether scores rise all the way to an edge."""
    pairs = [
        (_position(old, value), trial.score)
        for trial in ranked
        for value in _values(path, old, [trial])
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


def _judged(path: str, here: Sequence[Any], ranked: Sequence[Scored]) -> bool:
    """Whether kept trials say enough of a path: one, or some where not all trials have it."""
    shared = all(path in trial.values for trial in ranked)
    return len(here) >= (1 if shared else TOLD)


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
