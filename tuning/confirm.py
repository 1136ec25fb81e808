"""The best trials trained again over fresh seeds: what they reach, and which differ. Light, pure.

The best of many trials is also the luckiest of them (the winner's curse): fifty equal ones with a
standard error of 0.4 points show a best 0.95 points above what they reach. Only fresh seeds tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from tuning.refine.edges import ScoredTrial

LEVEL = 0.05  # Of the test, two-sided.
SAME = 1e-9  # Relative: scores that differ by less differ by rounding.


@dataclass(frozen=True)
class Confirmed:
    """A trial's values and its scores over fresh seeds.

    Attributes:
        values: of the paths searched.
        scores: one a seed, higher is better; not finite where that training diverged.
        trial: its name.

    Raises:
        ValueError: no score.
    """

    values: Mapping[str, Any]
    scores: tuple[float, ...]
    trial: str = ""

    def __post_init__(self) -> None:
        if not self.scores:
            raise ValueError(f"`scores` must hold one a seed, but trial {self.trial!r} has none.")

    @property
    def diverged(self) -> int:
        """Seeds without a finite score."""
        return sum(not math.isfinite(score) for score in self.scores)

    @property
    def mean(self) -> float:
        """Mean score; -inf where a seed diverged, so that such a trial is ranked last."""
        return -math.inf if self.diverged else fmean(self.scores)

    @property
    def sd(self) -> float | None:
        """Standard deviation over the seeds (n - 1); None of one seed or where one diverged."""
        return None if self.diverged or len(self.scores) < 2 else stdev(self.scores)


def ranked(confirmed: Sequence[Confirmed]) -> list[Confirmed]:
    """Best mean first, ties in their order."""
    return sorted(confirmed, key=lambda one: -one.mean)


def differ(one: Confirmed, other: Confirmed) -> bool:
    """Whether two means differ by Welch's t test, at 5 % two-sided.

    One seed alone has no spread: two such trials are not told apart. Scores that are equal over
    all seeds are told apart where the means differ at all. A trial of which a seed diverged is told
    apart from one of which none did.
    """
    if one.diverged or other.diverged:
        return bool(one.diverged) is not bool(other.diverged)
    if one.sd is None or other.sd is None:
        return False
    parts = (one.sd**2 / len(one.scores), other.sd**2 / len(other.scores))
    error, difference = math.sqrt(sum(parts)), abs(one.mean - other.mean)
    scale = SAME * max(abs(one.mean), abs(other.mean))
    if error <= scale:
        return difference > scale
    from scipy.special import stdtr  # type: ignore[import-untyped]

    counts = (len(one.scores), len(other.scores))
    # Welch-Satterthwaite, from shares of the variance, whose squares do not underflow.
    shares = [part / sum(parts) for part in parts]
    freedom = 1.0 / sum(share**2 / (n - 1) for share, n in zip(shares, counts, strict=True))
    return 2.0 * float(stdtr(freedom, -difference / error)) < LEVEL


def messages(
    confirmed: Sequence[Confirmed],
    search_best: ScoredTrial | None = None,
    draws: int = 0,
    show: Callable[[float], str] = "{:.4f}".format,
) -> list[str]:
    """What fresh seeds say, a line each.

    Args:
        confirmed: the trials trained again, in any order.
        search_best: the best trial of the search, with its score there.
        draws: trials of the search that had a score.
        show: writes a score; of a loss, turned round to be higher where better, it turns it back.

    Returns:
        A line a trial, best first; the trials that cannot be told apart from the winner; and how
        much of the search's best score was luck.
    """
    order = ranked(confirmed)
    lines = [f"trial {one.trial}: {_reached(one, show)}" for one in order]
    lines += [
        f"these two cannot be told apart: {order[0].trial} and {other.trial}"
        for other in order[1:]
        if not differ(order[0], other)
    ]
    again = [one for one in order if search_best is not None and one.trial == search_best.trial]
    told = again and -math.inf < again[0].mean < search_best.score if search_best else False
    if search_best is not None and told and show(again[0].mean) != show(search_best.score):
        lines.append(
            f"{show(search_best.score)} in the search was the luckiest of {draws} draws; "
            f"over fresh seeds it is {show(again[0].mean)}"
        )
    return lines


def _reached(one: Confirmed, show: Callable[[float], str]) -> str:
    seeds = len(one.scores)
    if one.diverged:
        return f"diverged with {one.diverged} of {seeds} seeds"
    if one.sd is None:
        return f"{show(one.mean)} with one seed"
    return f"{show(one.mean)} ± {one.sd:.4f} over {seeds} seeds"
