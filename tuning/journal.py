"""The journal of a search: trials.jsonl and attempts.jsonl, a JSON object per line. Light.

A row is flushed to disk before it counts. A process killed while it writes leaves at most a torn
last line, which is cut off when the journal is opened again.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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

NO_CURVE: Sequence[Mapping[str, Any]] = []
ADVICE = "Was the file edited? Remove that line, and its trial is run again."


class TrialJournal:
    """The finished trials of a search, and how often each trial was begun.

    Args:
        folder: the search's folder.
        note: told in a line of each torn last line, which a crash leaves and which is cut off.

    Attributes:
        records: finished trials, oldest first, without their curves: those of 100,000 trials are
            half a gigabyte, and no decision of a search needs them.

    Raises:
        DamagedFile: a file was edited and cannot be read.
    """

    def __init__(self, folder: Search, note: Callable[[str], None] | None = None) -> None:
        self.records: list[TrialRecord] = []
        self._stages: dict[str, list[TrialRecord]] = {}
        self._begun: Counter[str] = Counter()
        self._trials = JsonLines(folder.trials_file)
        self._attempts = JsonLines(folder.attempts_file)
        for record in _records(folder.trials_file, self._trials.read(TrialRow, note)):
            self._hold(record)
        for row in self._attempts.read(AttemptRow, note):
            self._begun[row["trial"]] += 1

    @property
    def is_empty(self) -> bool:
        """Whether no trial was ever begun."""
        return not (self._begun or self.records)

    def begin(self, *trials: str) -> None:
        """Records that trials are begun."""
        self._attempts.append(*({"trial": trial, "at": time.time()} for trial in trials))
        self._begun.update(trials)

    def attempts(self, trial: str) -> int:
        """How often a trial was begun."""
        return self._begun[trial]

    def append(self, *records: TrialRecord) -> None:
        """Adds finished trials; they are on the disk when this returns."""
        self._trials.append(*(record.to_json() for record in records))
        for record in records:
            self._hold(record)

    def _hold(self, record: TrialRecord) -> None:
        if record.curve:
            record = replace(record, curve=NO_CURVE)
        self.records.append(record)
        self._stages.setdefault(record.stage, []).append(record)

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

    def stage(self, name: str) -> Sequence[TrialRecord]:
        """The finished trials of a stage, oldest first; grows as trials finish."""
        return self._stages.get(name, [])


def read_trials(folder: Search) -> list[TrialRecord]:
    """The finished trials of a search, oldest first.

    Raises:
        DamagedFile: trials.jsonl was edited and cannot be read.
    """
    return list(_records(folder.trials_file, read(folder.trials_file, TrialRow)))


class JsonLines:
    """A file of JSON objects, one per line, that is only ever appended to.

    Args:
        file: it need not exist.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def read(
        self, schema: type[BaseModel] = Stored, note: Callable[[str], None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yields the rows, oldest first, then cuts off a torn last line; see the function `read`.

        Call it before the first `append`.

        Raises:
            DamagedFile: see the function `read`.
        """
        return read(self.file, schema, repair=True, note=note)

    def append(self, *rows: dict[str, Any]) -> None:
        """Adds rows, NaN and infinity as null; they are on the disk when this returns.

        Raises:
            StorageFault: the disk did not take the rows; the file is as it was.
        """
        if not rows:
            return
        data = "".join(f"{json_files.stored(row)}\n" for row in rows).encode()
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


def read(
    file: Path,
    schema: type[BaseModel] = Stored,
    repair: bool = False,
    note: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yields the rows of a file of JSON objects, oldest first; a missing file has none.

    Args:
        file: the file.
        schema: of each row.
        repair: cut off a torn last line, so that the next row begins a line of its own.
        note: told in a line of a torn last line.

    Raises:
        DamagedFile: a line other than a torn last one is no such object.
    """
    if not os.path.lexists(file):
        return
    whole = 0
    for row, end in json_files.lines(file, schema, ADVICE):
        yield row
        whole = end
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


def _records(file: Path, rows: Iterable[dict[str, Any]]) -> Iterator[TrialRecord]:
    """Yields the records of rows.

    Raises:
        DamagedFile: a trial is there twice; names its second line.
    """
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row["trial"] in seen:
            raise DamagedFile(
                f"{file}:{number}: duplicate trial {row['trial']}. Was the file edited? Remove "
                "that line."
            )
        seen.add(row["trial"])
        yield TrialRecord.from_json(row)
