"""How much of `max_minutes` is left, for a stage and for the confirmation. Light."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuning.trials import TrialRecord, best_first
from zoo.recipe.tune import Tune

MAX_RESERVE = 0.5  # Largest fraction of the limit that is reserved for the confirmation.


class TimeBudget:
    """The time limit of a search.

    Args:
        limit: time limit in seconds; None for no limit.
        elapsed: returns the seconds that the search has run.
        reserve: returns the seconds that the confirmation will take.

    Attributes:
        ran_out: whether the limit was ever reached.
    """

    def __init__(
        self, limit: float | None, elapsed: Callable[[], float], reserve: Callable[[], float]
    ) -> None:
        self._limit = limit
        self._elapsed = elapsed
        self._reserve = reserve
        self._stage_end: float | None = None  # Elapsed seconds at which the stage ends.
        self.ran_out = False

    def begin_stage(self, fraction: float) -> None:
        """Gives the next stage a fraction, from 0 to 1, of the time that is left."""
        self._stage_end = None
        left = self.left()
        self._stage_end = None if left is None else self._elapsed() + fraction * left

    def left(self, confirming: bool = False) -> float | None:
        """Seconds left to the stage or, if `confirming`, to the search; None without a limit."""
        if self._limit is None:
            return None
        if confirming:
            return self._limit - self._elapsed()
        end = self._limit - min(self._reserve(), MAX_RESERVE * self._limit)
        return min(end, self._stage_end or end) - self._elapsed()

    def is_spent(self, confirming: bool = False) -> bool:
        """Whether no more trials are to be begun. For `confirming`, see `left`."""
        left = self.left(confirming)
        spent = left is not None and left <= 0
        self.ran_out = self.ran_out or spent
        return spent


def confirmation_seconds(
    records: Sequence[TrialRecord], tune: Tune, epochs: int, workers: int
) -> float:
    """Estimates how long the confirmation takes, from the slowest of the best trials so far.

    Args:
        records: finished trials.
        tune: the search's settings.
        epochs: number of epochs of a full training.
        workers: number of workers.

    Returns:
        Seconds; 0 without a confirmation or a trial to estimate it from.
    """
    done = [
        record
        for record in best_first(records, tune.objective)
        if record.status == "done" and record.epochs
    ]
    if tune.confirm is None or not done:
        return 0.0
    slowest = max(
        record.seconds / record.epochs * epochs + record.setup_seconds
        for record in done[: tune.confirm.top]
    )
    rounds = -(-tune.confirm.top * tune.confirm.seeds // workers)
    return slowest * rounds
