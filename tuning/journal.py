"""The journal of a search: trials.jsonl and attempts.jsonl, a JSON object per line. Light.

A row is flushed to disk before it counts. A process killed while it writes leaves at most a torn
last line, which is cut off when the journal is opened again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuning.trials import TrialRecord
from zoo.errors import RunError
from zoo.rundir import Search

# Keys without which a row of trials.jsonl cannot be used.
REQUIRED_KEYS = (
    "trial", "stage", "index", "values", "status", "score", "epochs", "seed", "rungs",
)  # fmt: skip


class TrialJournal:
    """The finished trials of a search, and how often each trial was begun.

    Args:
        folder: the search's folder.

    Attributes:
        records: finished trials, oldest first.

    Raises:
        RunError: a file was edited and cannot be read.
    """

    def __init__(self, folder: Search) -> None:
        self._trials = JsonLines(folder.trials_file, REQUIRED_KEYS)
        self._attempts = JsonLines(folder.attempts_file)
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

    def stage(self, name: str) -> list[TrialRecord]:
        """The finished trials of a stage."""
        return [record for record in self.records if record.stage == name]


def read_trials(folder: Search) -> list[TrialRecord]:
    """The finished trials of a search, oldest first.

    Raises:
        RunError: trials.jsonl was edited and cannot be read.
    """
    return [TrialRecord.from_json(row) for row in read(folder.trials_file, keys=REQUIRED_KEYS)]


class JsonLines:
    """A file of JSON objects, one per line, that is only ever appended to.

    Args:
        file: it need not exist. A torn last line is cut off.
        keys: see `read`.

    Attributes:
        rows: its objects, oldest first.

    Raises:
        RunError: see `read`.
    """

    def __init__(self, file: Path, keys: Sequence[str] = ()) -> None:
        self.file = file
        self.rows = read(file, repair=True, keys=keys)

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row; it is on the disk when this returns.

        Raises:
            ValueError: the row holds NaN or infinity, which JSON cannot.
            OSError: the disk is full; the file is as it was.
        """
        data = (json.dumps(row, allow_nan=False) + "\n").encode()
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


def read(file: Path, repair: bool = False, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Reads a file of JSON objects, oldest first; a missing file has none.

    Args:
        file: the file.
        repair: cut off a torn last line, so that the next row begins a line of its own.
        keys: required in each row; no two rows may have the same value of the first one.

    Raises:
        RunError: a line other than a torn last one is no such object, or is there twice.
    """
    if not file.is_file():
        return []
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    rows: list[dict[str, Any]] = []
    seen: set[Any] = set()
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if keys and isinstance(row, dict) and row.get(keys[0]) in seen:
            raise RunError(
                f"{file}:{number}: duplicate {keys[0]} {row[keys[0]]}. Was the file edited? "
                "Remove that line."
            )
        if not isinstance(row, dict) or not set(keys) <= set(row):
            raise RunError(
                f"{file}:{number}: not a row of a search. Expected a JSON object. Was the file "
                "edited? Remove that line, and its trial is run again."
            )
        seen.add(row.get(keys[0]) if keys else None)
        rows.append(row)
    if repair and len(whole) < len(data):
        with file.open("rb+") as handle:
            handle.truncate(len(whole))
            os.fsync(handle.fileno())
    return rows
