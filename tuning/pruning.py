"""Rules that stop a trial which is worse than others at the same fraction of its training. Light.

Sources: median stopping, Golovin et al. 2017 (Vizier), section 3.2; ASHA, Li et al. 2020, in the
form that stops the trials outside the best third instead of promoting those inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush, heappushpop

# Fractions of a training after which a trial is compared with others.
RUNGS: Mapping[str, tuple[float, ...]] = {
    "none": (),
    "median": (0.2, 0.4, 0.6, 0.8),
    "asha": (1 / 9, 1 / 3),
}
MIN_TRIALS_FOR_MEDIAN = 5
REDUCTION_FACTOR = 3  # ASHA: one in three trials continues.


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a trial is compared with at a rung.

    Attributes:
        score: a trial whose score is lower is pruned; higher is better.
        rivals: number of earlier trials whose scores the limit comes from.
    """

    score: float
    rivals: int


class RungScores:
    """The scores at one rung of the trials that later ones are compared with.

    Adding a score takes O(log n) and the limit O(1), since a search of 100,000 trials asks for a
    limit 100,000 times. The upper scores are those from the limit up, in a heap; the others lie in
    another heap, negated.

    Args:
        rule: `median` or `asha`.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._upper: list[float] = []
        self._lower: list[float] = []

    @property
    def count(self) -> int:
        """Number of scores."""
        return len(self._upper) + len(self._lower)

    def add(self, score: float) -> None:
        """Adds the score of a trial, higher is better."""
        heappush(self._lower, -heappushpop(self._upper, score))
        count = self.count
        wanted = (count + 1) // 2 if self._rule == "median" else max(count // REDUCTION_FACTOR, 1)
        if len(self._upper) < wanted:
            heappush(self._upper, -heappop(self._lower))

    def limit(self) -> Limit | None:
        """The median, or the lowest score of the best third; None of too few scores."""
        count = self.count
        if count < (MIN_TRIALS_FOR_MEDIAN if self._rule == "median" else REDUCTION_FACTOR):
            return None
        score = self._upper[0]
        if self._rule == "median" and count % 2 == 0:
            score = (score - self._lower[0]) / 2
        return Limit(score=score, rivals=count)


def rungs(rule: str, steps: int) -> list[int]:
    """The steps of a rule's rungs in a trial of `steps`; none at its end."""
    rounded = {round(fraction * steps) for fraction in RUNGS[rule]}
    return sorted(step for step in rounded if 0 < step < steps)


def reason_to_prune(rule: str, score: float, limit: Limit | None, guessing: float) -> str | None:
    """Why a trial is pruned at a rung; None if it continues.

    Args:
        rule: `median`, `asha` or `none`.
        score: the trial's score at the rung, higher is better.
        limit: that of earlier trials of the same length that were done or pruned, at the same rung;
            None if they are too few.
        guessing: score of guessing. No trial is pruned while the limit is no better than that.
    """
    if rule == "none" or limit is None or limit.score <= guessing or score >= limit.score:
        return None
    reference = "the median" if rule == "median" else "the best third"
    return f"{score:.4g} is below {reference} of {limit.rivals}, {limit.score:.4g}"
