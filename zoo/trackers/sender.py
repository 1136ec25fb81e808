"""Brings a tracker up to what a folder holds. Light.

The same for a training at each epoch's end, for its end, for a resumed one and for `zoo log`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.rundir import Folds, Run, write_json
from zoo.rundir.folder import Folder
from zoo.trackers.contract import Entry, Tracker
from zoo.trackers.names import KINDS
from zoo.trackers.record import Record, record_of
from zoo.trackers.troubles import said

RUNNING = "running"


class Sender:
    """Sends folders to one tracker.

    Args:
        tracker: connected.
        note: told in a line what the user should know.
    """

    def __init__(self, tracker: Tracker, note: Callable[[str], None]) -> None:
        self.tracker = tracker
        self.note = note
        self.failing = False
        self._open: dict[str, Entry] = {}
        self._begun: dict[str, Record] = {}  # As they were begun: reading them again takes time.

    def send(
        self, folder: Folder, rows: Sequence[Mapping[str, Any]] | None = None, final: bool = False
    ) -> bool:
        """Sends what the tracker lacks; a failure is noted once, until a sending succeeds.

        Args:
            folder: of a run, a search or a cross-validation.
            rows: of metrics.jsonl, where the caller has them.
            final: whether the folder is complete: its end is sent too.

        Returns:
            Whether all is sent.
        """
        title = KINDS[self.tracker.name].title
        try:
            self.send_now(folder, rows, final)
        except Exception as error:  # Whatever a package raises: a training goes on.
            self._open.clear()  # The next sending asks the server where the run stands.
            if not self.failing:
                self.note(f"note: {title}: {said(error)}; what is missing is sent later")
            self.failing = True
            return False
        if self.failing:
            self.note(f"note: {title}: works again; what was missing is sent")
        self.failing = False
        return True

    def send_now(
        self,
        folder: Folder,
        rows: Sequence[Mapping[str, Any]] | None = None,
        final: bool = False,
        gone: bool = False,
    ) -> Entry:
        """Sends what the tracker lacks.

        Args:
            folder: as for `send`.
            rows: as for `send`.
            final: as for `send`.
            gone: whether no process works in the folder.

        Returns:
            The entry of trackers.json.

        Raises:
            DamagedFile: a file of the folder holds something else than zoo wrote.
            Exception: what the tracker raises.
        """
        entry = self._open.get(str(folder))
        begun_as = self._begun.get(str(folder))
        if entry is None or rows is None or begun_as is None:
            record = record_of(folder, gone)
        else:
            record = replace(begun_as, rows=rows)
        if entry is None:
            entry = self._begin(record)
        try:
            if record.kind == "search":
                self.tracker.trials(record, entry)
            self.tracker.rows(record, entry)
            if final and record.status != RUNNING:
                self.tracker.end(record, entry)
                entry["ended"] = record.status
                self._open.pop(str(folder), None)
        finally:
            self._remember(folder, entry)
        return entry

    def _begin(self, record: Record) -> Entry:
        """Begins a run, the cross-validation that it is a fold of first."""
        folder = record.folder
        outer = folder.folder.parent
        parent: Entry | None = None
        if isinstance(folder, Run) and Folds.is_folds(outer) and not self.tracker.local:
            folds = Folds(outer)
            parent = self._open.get(str(folds)) or self._begin(record_of(folds))
        entry = self.tracker.begin(record, self.entry(folder), parent)
        self._open[str(folder)], self._begun[str(folder)] = entry, record
        self._remember(folder, entry)
        return entry

    def entry(self, folder: Folder) -> dict[str, Any]:
        """The tracker's entry in trackers.json; empty where there is none that can be read."""
        return read_entry(folder, self.tracker.name)

    def _remember(self, folder: Folder, entry: Mapping[str, Any]) -> None:
        if self.tracker.local:
            return  # It writes all again in each process.
        entries = _entries(folder)
        if entries.get(self.tracker.name) != entry:
            write_json(folder.trackers_file, {**entries, self.tracker.name: dict(entry)})


def read_entry(folder: Folder, name: str) -> dict[str, Any]:
    """The entry of a tracker in trackers.json; empty where there is none that can be read."""
    return dict(_entries(folder).get(name) or {})


def trackers_of(folder: Folder) -> list[str]:
    """The trackers that have received a folder, those that write into the folder left out."""
    return list(_entries(folder))


def _entries(folder: Folder) -> dict[str, Any]:
    from zoo.rundir.schema import TrackersInfo

    if not folder.trackers_file.is_file():
        return {}
    try:
        return json_files.read(folder.trackers_file, TrackersInfo, "")
    except DamagedFile:  # Then all is sent anew, as another run.
        return {}
