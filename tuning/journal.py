"""The journal of a search: trials.jsonl and attempts.jsonl, a JSON object per line. Light.

A row is flushed to disk before it counts. A process killed while it writes leaves at most a torn
last line, which is cut off when the journal is opened again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tuning.trials import TrialRecord
from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.files.storage import writing
from zoo.rundir import Search
from zoo.rundir.schema import Stored
from zoo.rundir.search_schema import AttemptRow, TrialRow

ADVICE = "Was the file edited? Remove that line, and its trial is run again."


class TrialJournal:
    """The finished trials of a search, and how often each trial was begun.

    Args:
        folder: the search's folder.
        note: told in a line of each torn last line, which a crash leaves and which is cut off.

    Attributes:
        records: finished trials, oldest first.

    Raises:
        DamagedFile: a file was edited and cannot be read.
    """

    def __init__(self, folder: Search, note: Callable[[str], None] | None = None) -> None:
        self._trials = JsonLines(folder.trials_file, TrialRow, note)
        self._attempts = JsonLines(folder.attempts_file, AttemptRow, note)
        _require_different(folder.trials_file, self._trials.rows)
        self.records = [TrialRecord.from_json(row) for row in self._trials.rows]

    @property
    def is_empty(self) -> bool:
        """Whether no trial was ever begun."""
        return not (self._attempts.rows or self.records)

    def begin(self, trial: str) -> None:
        """Records that a trial is begun."""
        self._attempts.append({"trial": trial, "at": time.time()})

    def attempts(self, trial: str) -> int:
        """How often a trial was begun."""
        return sum(row["trial"] == trial for row in self._attempts.rows)

    def append(self, record: TrialRecord) -> None:
        """Adds a finished trial; it is on the disk when this returns."""
        self._trials.append(record.to_json())
        self.records.append(record)

    def require_count(self, stage: str, finished: int | None) -> None:
        """Requires that a stage that is over has all of its trials: others were drawn from them.

        Args:
            stage: its name.
            finished: how many trials it had when it ended; None: unknown.

        Raises:
            DamagedFile: it has another number of trials now.
        """
        found = len(self.stage(stage))
        if finished is not None and found != finished:
            raise DamagedFile(
                f"{self._trials.file}: Expected {finished} trials of stage {stage}, as tune.json "
                f"counts them. Received {found}. Was the file edited? Bring it back from a copy, "
                "or begin a new search."
            )

    def stage(self, name: str) -> list[TrialRecord]:
        """The finished trials of a stage."""
        return [record for record in self.records if record.stage == name]


def read_trials(folder: Search) -> list[TrialRecord]:
    """The finished trials of a search, oldest first.

    Raises:
        DamagedFile: trials.jsonl was edited and cannot be read.
    """
    rows = read(folder.trials_file, TrialRow)
    _require_different(folder.trials_file, rows)
    return [TrialRecord.from_json(row) for row in rows]


class JsonLines:
    """A file of JSON objects, one per line, that is only ever appended to.

    Args:
        file: it need not exist. A torn last line is cut off.
        schema: see `read`; likewise `note`.
        note: see `read`.

    Attributes:
        rows: its objects, oldest first.

    Raises:
        DamagedFile: see `read`.
    """

    def __init__(
        self,
        file: Path,
        schema: type[BaseModel] = Stored,
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.file = file
        self.rows = read(file, schema, repair=True, note=note)

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row, NaN and infinity as null; it is on the disk when this returns.

        Raises:
            StorageFault: the disk did not take the row; the file is as it was.
        """
        data = (json_files.dumps(row) + "\n").encode()
        with writing(self.file, len(data)):
            handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            size = os.fstat(handle).st_size
            try:
                while data:  # A disk that is nearly full takes a part.
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
            finally:
                os.close(handle)
        self.rows.append(row)


def read(
    file: Path,
    schema: type[BaseModel] = Stored,
    repair: bool = False,
    note: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Reads a file of JSON objects, oldest first; a missing file has none.

    Args:
        file: the file.
        schema: of each row.
        repair: cut off a torn last line, so that the next row begins a line of its own.
        note: told in a line of a torn last line.

    Raises:
        DamagedFile: a line other than a torn last one is no such object.
    """
    if not os.path.lexists(file):
        return []
    rows, whole = json_files.read_lines(file, schema, ADVICE)
    torn = file.stat().st_size - whole
    if torn and note:
        note(
            f"note: {file}: its last line is torn, as a crash leaves it, and is left out; what it "
            "was about is done again"
        )
    if torn and repair:
        with file.open("rb+") as handle:
            handle.truncate(whole)
            os.fsync(handle.fileno())
    return rows


def _require_different(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Refuses a trial that is there twice.

    Raises:
        DamagedFile: names its second line.
    """
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row["trial"] in seen:
            raise DamagedFile(
                f"{file}:{number}: duplicate trial {row['trial']}. Was the file edited? Remove "
                "that line."
            )
        seen.add(row["trial"])
