"""Keeps the run folders of the best trials and deletes the others. Light."""

from __future__ import annotations

from tuning.journal import TrialJournal
from tuning.leading import LeadingTrials
from tuning.trials import TrialRecord
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
        self._groups: dict[str, LeadingTrials] = {}
        self._done: set[str] = set()  # Names of the trials in the groups, also of those displaced.
        self._seen = 0  # Number of the journal's records that are in the groups.

    def folder(self, trial: str) -> Run:
        """The run folder of a trial; it need not exist."""
        return self._folder.trial(trial)

    def is_wanted(self, record: TrialRecord) -> bool:
        """Whether a trial that has just finished is among the best of its group."""
        return record.status == "done" and self._best(record.trial).admits(record)

    def tidy(self, trial: str) -> None:
        """Removes the run folders of all but the best trials of a group.

        Args:
            trial: name of any trial of the group: what precedes its last dash names the group, so
                that `coarse-` stands for the stage `coarse`.
        """
        best = {record.trial for record in self._best(trial).records}
        group = _group(trial)
        for name in self._folder.kept_trials():
            if _group(name) == group and name in self._done and name not in best:
                self.folder(name).remove()

    def _best(self, trial: str) -> LeadingTrials:
        """The best finished trials of a trial's group: its stage, or its other seeds."""
        for record in self._journal.records[self._seen :]:
            if record.status == "done":
                self._done.add(record.trial)
                self._of(record.trial).add(record)
        self._seen = len(self._journal.records)
        return self._of(trial)

    def _of(self, trial: str) -> LeadingTrials:
        return self._groups.setdefault(_group(trial), LeadingTrials(self._count, self.objective))


def _group(trial: str) -> str:
    return trial.rpartition("-")[0]
