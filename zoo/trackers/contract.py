"""The contract between a run and a tracker. Light."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar

from zoo.errors import EnvironmentFault
from zoo.rundir import Search
from zoo.trackers.record import Record, trials

# What a tracker has received of a run: its entry of trackers.json, `zoo.rundir.schema.TrackerInfo`.
Entry = MutableMapping[str, Any]


class Refused(EnvironmentFault):
    """A tracker that cannot be used: what is wrong, and what to do."""


class Tracker(ABC):
    """Keeps runs in one place: a file, a database or a server.

    A run is begun once in each process that sends it, also one that an earlier process began; then
    come rows and the end, each of which may come again. Any exception means: try again later.

    Attributes:
        name: the word of `--log`.
        local: whether it only writes files of the folder.
    """

    name: ClassVar[str]
    local: ClassVar[bool] = False

    def connect(self, entry: Mapping[str, Any]) -> None:
        """Requires that runs can be sent, before a training begins.

        Args:
            entry: what trackers.json holds of a run that is resumed; empty for a new one.

        Raises:
            Refused: they cannot.
        """
        return

    @abstractmethod
    def begin(self, record: Record, entry: Mapping[str, Any], parent: Entry | None) -> Entry:
        """Begins a run, or goes on with one.

        Args:
            record: the run.
            entry: what trackers.json holds of it; empty for a new one.
            parent: the entry of the search or the cross-validation that it is a part of.

        Returns:
            The entry from now on. `epochs` is the last epoch that was sent.
        """

    @abstractmethod
    def rows(self, record: Record, entry: Entry) -> None:
        """Sends the rows after `entry["epochs"]`, and counts them there."""

    def trials(self, record: Record, entry: Entry) -> None:
        """Sends the finished trials of a search after `entry["trials"]`, and counts them there.

        Args:
            record: the search.
            entry: what trackers.json holds of it.
        """
        if not isinstance(record.folder, Search):
            return
        for trial in trials(record.folder, entry.setdefault("trials", 0)):
            child = self.begin(trial, {}, entry)
            self.rows(trial, child)
            self.end(trial, child)
            entry["trials"] += 1

    @abstractmethod
    def end(self, record: Record, entry: Entry) -> None:
        """Sends what is measured at the end, the files, the model and the status."""

    def place(self, entry: Mapping[str, Any]) -> str | None:
        """Where the user finds a run; None: nowhere that is news."""
        return entry.get("url")

    def close(self) -> None:
        """Ends what the tracker runs."""
        return
