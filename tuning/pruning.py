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
REDUCTION_FACTOR = 3  # ASHA: one in three trials continues.


def rungs(rule: str, steps: int) -> list[int]:
    """The steps of a rule's rungs in a trial of `steps`; none at its end."""
    rounded = {round(fraction * steps) for fraction in RUNGS[rule]}
    return sorted(step for step in rounded if 0 < step < steps)


def reason_to_prune(
    rule: str, score: float, rivals: Sequence[float], guessing: float
) -> str | None:
    """Why a trial is pruned at a rung; None if it continues.

    Args:
        rule: `median`, `asha` or `none`.
        score: the trial's score at the rung, higher is better.
        rivals: scores at the same rung of earlier trials of the same length that were done or
            pruned.
        guessing: score of guessing. No trial is pruned while the limit is no better than that.
    """
    if rule == "median" and len(rivals) >= MIN_TRIALS_FOR_MEDIAN:
        limit, reference = median(rivals), f"the median of {len(rivals)}"
    elif rule == "asha" and len(rivals) >= REDUCTION_FACTOR:
        best = sorted(rivals, reverse=True)[: max(len(rivals) // REDUCTION_FACTOR, 1)]
        limit, reference = best[-1], f"the best third of {len(rivals)}"
    else:
        return None
    if limit <= guessing or score >= limit:
        return None
    return f"{score:.4g} is below {reference}, {limit:.4g}"
