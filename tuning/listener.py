"""The events of a running search, for whoever displays it. Light."""

from __future__ import annotations

from collections.abc import Sequence

from tuning.refine.narrow import Narrowed
from tuning.space import Space
from tuning.trials import TrialRecord, TrialSpec
from zoo.recipe import Recipe
from zoo.recipe.tune import SearchStage, Tune
from zoo.rundir import Search


class SearchListener:
    """Is called at each event of a search. These methods do nothing: override those you need."""

    def begin(self, folder: Search, tune: Tune, recipe: Recipe, workers: int) -> None:
        """The search begins or is resumed.

        Args:
            folder: the search's folder.
            tune: the search's settings.
            recipe: the recipe that is searched.
            workers: number of workers.
        """

    def stage(
        self,
        stage: SearchStage,
        space: Space,
        records: Sequence[TrialRecord],
    ) -> None:
        """A stage begins or is resumed.

        Args:
            stage: the stage.
            space: its ranges, by path.
            records: its finished trials.
        """

    def started(self, spec: TrialSpec) -> None:
        """A trial begins."""

    def step(self, spec: TrialSpec, step: int, steps: int) -> None:
        """A trial has progressed.

        Args:
            spec: the trial.
            step: number of completed steps.
            steps: number of steps of its training.
        """

    def finished(self, record: TrialRecord, total: int, left: float | None) -> None:
        """A trial has ended.

        Args:
            record: the trial.
            total: number of trials of its stage.
            left: seconds left to the search; None without a limit.
        """

    def note(self, text: str) -> None:
        """A line for the user."""

    def judged(self, stage: SearchStage, narrowed: Narrowed) -> None:
        """A stage has ended, and the ranges of the next one are known."""

    def confirming(self, best: Sequence[TrialRecord], seeds: int, done: int) -> None:
        """The best trials are trained again.

        Args:
            best: the trials.
            seeds: number of fresh seeds for each.
            done: number of these trainings that are finished already.
        """

    def end(self) -> None:
        """The search ends, for whatever reason."""
