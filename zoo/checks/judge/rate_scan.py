"""The numbers of C14: short trainings at several learning rates. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.checks.judge.momentum import growth
from zoo.checks.judge.rates import (
    NEIGHBOUR_FACTOR,
    RatePoint,
    RoundedSuggestion,
    Suggestion,
    exploded,
    suggest,
)

STEPS = 50  # Steps of each training of a full scan.
# A recipe whose warm-up is at least 10 times as long as the scan's may have a peak 3 times higher.
LONG_WARMUP = 10.0
LONG_WARMUP_ALLOWANCE = 3.0


@dataclass(frozen=True, kw_only=True)
class LearningRateScan:
    """Short trainings at rates a constant factor apart, and the recipe's own rate.

    Attributes:
        points: one per rate and seed, in any order.
        rate: peak learning rate of the recipe.
        schedule: name of `train.schedule`.
        num_classes: C.
        chance: accuracy that guessing stays below: `chance.guessing_bound` of the largest class's
            share and the number of images that accuracies are measured on.
        steps: of each training; fewer than `STEPS` if steps are slow.
        scale: factor applied to rates where batches are smaller than the recipe's. Limits are known
            to within that factor: INFO and FAIL give a rate the benefit of the doubt.
        warmup: length of the recipe's warm-up over that of the scan; 0 without one.
        unfinished: time ran out before rates were tried that might have changed the verdict.
        momentum: of an optimizer in which momentum adds up gradients, else 0.
        updates: that the planned training makes.
    """

    points: Sequence[RatePoint]
    rate: float
    schedule: str
    num_classes: int
    chance: float
    steps: int = STEPS
    scale: float = 1.0
    warmup: float = 0.0
    unfinished: bool = False
    momentum: float = 0.0
    updates: int = 1

    @property
    def growth(self) -> float:
        """Factor by which momentum makes later steps of the training larger than the scan's.

        1 if it is within the distance of two rates of a scan.
        """
        grown = growth(self.momentum, self.updates, self.steps)
        return grown if grown > NEIGHBOUR_FACTOR else 1.0

    @property
    def shortened(self) -> bool:
        """Whether trainings are too short, or batches too small, to call a risen loss too high."""
        return self.steps < STEPS or self.scale < 1

    @property
    def annealed(self) -> bool:
        """Whether a schedule lowers the recipe's rate later."""
        return self.schedule != "constant"

    @property
    def uncertainty(self) -> float:
        """Factor to within which limits are known."""
        return 1 / self.scale if 0 < self.scale < 1 else 1.0

    @property
    def warmup_allowance(self) -> float:
        """Factor by which a long warm-up allows a higher rate than the scan's."""
        return LONG_WARMUP_ALLOWANCE if self.warmup >= LONG_WARMUP else 1.0

    @property
    def suggestion(self) -> Suggestion | None:
        """The rate to suggest; None if no rate works, or if time was too short to tell.

        After few steps the loss may be down only at low rates, at which it barely moves, while at a
        higher rate, which teaches far more, it is still up. A shortened scan therefore suggests no
        rate below the recipe's unless a rate close to the recipe's exploded.
        """
        suggested = suggest(self.points, self.annealed, self.chance)
        if suggested is None or self.unfinished:
            return None
        _, (_, top) = suggested
        undecided = (
            self.shortened and self.rate > top * NEIGHBOUR_FACTOR and lowest_exploded(self) is None
        )
        return None if undecided else suggested

    @property
    def rounded_suggestion(self) -> RoundedSuggestion | None:
        """The suggestion to two significant digits, for reports and for the short training."""
        if self.suggestion is None:
            return None
        rate, search = self.suggestion
        return {
            "learning_rate": float(f"{rate:.2g}"),
            "search": [float(f"{end:.2g}") for end in search],
        }


def lowest_exploded(numbers: LearningRateScan) -> float | None:
    """Return the lowest rate that exploded if the recipe's is about as high, else None."""
    lowest = min((point.rate for point in numbers.points if exploded(point)), default=math.inf)
    reach = numbers.rate / numbers.warmup_allowance * NEIGHBOUR_FACTOR
    return lowest if lowest <= reach else None
