"""Tells trackers of a search (`zoo.trackers`). Light."""

from __future__ import annotations

from rich.console import Console

from tuning.progress import SearchProgress
from tuning.trials import TrialRecord
from zoo.recipe import Recipe
from zoo.recipe.tune import Tune
from zoo.rundir import Search
from zoo.trackers.session import Tracking


class TrackedSearch(SearchProgress):
    """Shows a search to the user, and tells trackers of each trial that has ended.

    Trackers read trials from the journal, which this process writes: workers tell them nothing.

    Args:
        console: as for `SearchProgress`.
        tracking: the trackers; the caller ends them.
    """

    def __init__(self, console: Console, tracking: Tracking) -> None:
        super().__init__(console)
        self._tracking = tracking

    def begin(self, folder: Search, tune: Tune, recipe: Recipe, workers: int) -> None:
        """The search begins or is resumed."""
        super().begin(folder, tune, recipe, workers)
        self._tracking.begin(folder)

    def finished(self, record: TrialRecord, total: int, left: float | None) -> None:
        """A trial is in the journal."""
        super().finished(record, total, left)
        self._tracking.update()
