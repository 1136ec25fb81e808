"""Keeps the run folders of the best trials and deletes the others. Light."""

from __future__ import annotations

from tuning.journal import TrialJournal
from tuning.trials import TrialRecord, best_first
from zoo.rundir import Run, Search


class KeptRuns:
    """Keeps the run folders of the best trials of each stage, and of each confirmed trial.

    Args:
        folder: the search's folder.
        journal: its finished trials.
        count: number of run folders kept.
        objective: metric that trials are compared by.

    Attributes:
        objective: as given; it may be set until a trial has finished.
    """

    def __init__(self, folder: Search, journal: TrialJournal, count: int, objective: str) -> None:
        self._folder = folder
        self._journal = journal
        self._count = count
        self.objective = objective

    def folder(self, trial: str) -> Run:
        """The run folder of a trial; it need not exist."""
        return self._folder.trial(trial)

    def is_wanted(self, record: TrialRecord) -> bool:
        """Whether a trial that has just finished is among the best of its group."""
        if record.status != "done":
            return False
        best = best_first([*self._group(record.trial), record], self.objective)
        return record in best[: self._count]

    def tidy(self, trial: str) -> None:
        """Removes the run folders of all but the best trials of a group.

        Args:
            trial: name of any trial of the group: what precedes its last dash names the group, so
                that `coarse-` stands for the stage `coarse`.
        """
        best = best_first(self._group(trial), self.objective)
        stored_trials = self._folder.kept_trials()
        for record in best[self._count :]:
            if record.trial in stored_trials:
                self.folder(record.trial).remove()

    def _group(self, trial: str) -> list[TrialRecord]:
        """The finished trials that a trial is compared with: its stage, or its other seeds."""
        prefix = trial.rpartition("-")[0]
        return [
            record
            for record in self._journal.records
            if record.trial.rpartition("-")[0] == prefix and record.status == "done"
        ]
