"""The best trials of a list that grows. Light."""

from __future__ import annotations

from bisect import insort

from tuning.trials import TrialRecord, sign


class LeadingTrials:
    """The best of the records that were added: the same as the first of `best_first` of all.

    An addition costs no more after many records than after a few.

    Args:
        count: number of records to hold.
        objective: metric that they are compared by.

    Attributes:
        records: the best, best first; ties in the order of their index.
    """

    def __init__(self, count: int, objective: str) -> None:
        self.records: list[TrialRecord] = []
        self._count = count
        self._sign = sign(objective)

    def admits(self, record: TrialRecord) -> bool:
        """Whether a record would be among the best."""
        if record.score is None or self._count < 1:
            return False
        return len(self.records) < self._count or self._key(record) < self._key(self.records[-1])

    def add(self, record: TrialRecord) -> None:
        """Adds a record; one without a score is ignored."""
        if self.admits(record):
            insort(self.records, record, key=self._key)
            del self.records[self._count :]

    def _key(self, record: TrialRecord) -> tuple[float, int]:
        return -self._sign * (record.score or 0.0), record.index
