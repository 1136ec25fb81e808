"""When a trial is left behind by others at the same share of its training. Light, pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

# Shares of a training after which a trial is compared with others.
RUNGS: Mapping[str, tuple[float, ...]] = {
    "none": (),
    "median": (0.2, 0.4, 0.6, 0.8),
    "asha": (1 / 9, 1 / 3),
}
LEAST = 5  # Others that a median is worth something of.
REDUCTION = 3  # ASHA: one in so many goes on.


def rungs(rule: str, steps: int) -> list[int]:
    """The steps after which a trial of so many steps is compared; none of a single step."""
    found = {round(share * steps) for share in RUNGS[rule]}
    return sorted(step for step in found if 0 < step < steps)


def left_behind(rule: str, score: float, others: Sequence[float], bar: float) -> str | None:
    """Why a trial is stopped; None: it goes on.

    Args:
        rule: `median`, `asha` or `none`.
        score: of the trial at a rung, higher is better.
        others: scores at the same rung of trials that came before and did not diverge.
        bar: a score that guessing reaches: as long as others are not above it, nothing is told.

    Source: median stopping, Golovin et al. 2017 (Vizier), section 3.2; ASHA, Li et al. 2020, in its
    form that stops what is outside of the best third instead of promoting what is inside.
    """
    if rule == "median" and len(others) >= LEAST:
        limit, of = median(others), f"the median of {len(others)}"
    elif rule == "asha" and len(others) >= REDUCTION:
        best = sorted(others, reverse=True)[: max(len(others) // REDUCTION, 1)]
        limit, of = best[-1], f"the best third of {len(others)}"
    else:
        return None
    if limit <= bar or score >= limit:
        return None
    return f"{score:.4g} is below {of}, {limit:.4g}"
