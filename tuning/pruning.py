"""Rules that stop a trial which is worse than others at the same fraction of its training. Light.

Sources: median stopping, Golovin et al. 2017 (Vizier), section 3.2; ASHA, Li et al. 2020, in the
form that stops the trials outside the best third instead of promoting those inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

# Fractions of a training after which a trial is compared with others.
RUNGS: Mapping[str, tuple[float, ...]] = {
    "none": (),
    "median": (0.2, 0.4, 0.6, 0.8),
    "asha": (1 / 9, 1 / 3),
}
MIN_TRIALS_FOR_MEDIAN = 5
REDUCTION_FACTOR = 3  # ASHA: one in three trials goes on.


def rungs(rule: str, steps: int) -> list[int]:
    """The steps of a rule's rungs in a trial of `steps`; none at its end."""
    rounded = {round(fraction * steps) for fraction in RUNGS[rule]}
    return sorted(step for step in rounded if 0 < step < steps)


def left_behind(rule: str, score: float, others: Sequence[float], bar: float) -> str | None:
    """Says why a trial is stopped at a rung; None if it goes on.

    Args:
        rule: `median`, `asha` or `none`.
        score: of the trial at the rung, higher is better.
        others: scores at the same rung of earlier trials that did not diverge.
        bar: score of guessing; a trial goes on until others do better than that.
    """
    if rule == "median" and len(others) >= MIN_TRIALS_FOR_MEDIAN:
        limit, reference = median(others), f"the median of {len(others)}"
    elif rule == "asha" and len(others) >= REDUCTION_FACTOR:
        best = sorted(others, reverse=True)[: max(len(others) // REDUCTION_FACTOR, 1)]
        limit, reference = best[-1], f"the best third of {len(others)}"
    else:
        return None
    if limit <= bar or score >= limit:
        return None
    return f"{score:.4g} is below {reference}, {limit:.4g}"
