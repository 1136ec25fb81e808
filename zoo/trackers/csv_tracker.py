"""`--log csv`: metrics.csv, a row per epoch, for spreadsheets. A search has trials.csv. Light."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.report.search.rows import searched
from zoo.rundir import Run, Search, atomic_write
from zoo.trackers.contract import Entry, Tracker
from zoo.trackers.record import Record, trials

# Of trials.csv, before the searched paths.
TRIAL_COLUMNS = (
    "trial", "stage", "status", "score", "epochs", "steps", "seconds", "attempts", "reason", "seed",
)  # fmt: skip


class CsvTracker(Tracker):
    """Writes the whole table again at each epoch, so that a resumed run has one table."""

    name = "csv"
    local = True

    def begin(self, record: Record, entry: Mapping[str, Any], parent: Entry | None) -> Entry:
        """Nothing is to be prepared."""
        return {}

    def rows(self, record: Record, entry: Entry) -> None:
        """Writes metrics.csv."""
        if record.kind == "run" and isinstance(record.folder, Run):
            write_rows(record.rows, record.folder.csv_file)

    def trials(self, record: Record, entry: Entry) -> None:
        """Writes trials.csv."""
        if isinstance(record.folder, Search):
            rows = [trial.trial or {} for trial in trials(record.folder, 0)]
            write_trials(rows, record.folder.csv_file)

    def end(self, record: Record, entry: Entry) -> None:
        """The table is complete."""


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes a line per epoch; columns are the metrics in the order in which they appear.

    A metric that was not finite is empty.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    _write(path, columns, ([row.get(key) for key in columns] for row in rows))


def write_trials(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes a line per trial: `TRIAL_COLUMNS`, then the searched paths in alphabetical order.

    A value that a trial does not have is empty; null is the word `null`.

    Args:
        rows: of trials.jsonl.
        path: the file.
    """
    paths = searched(rows)
    _write(
        path,
        [*TRIAL_COLUMNS, *paths],
        (
            [
                *(row.get(name) for name in TRIAL_COLUMNS),
                *(_value(row["values"], each) for each in paths),
            ]
            for row in rows
        ),
    )


def _value(values: Mapping[str, Any], path: str) -> Any:
    if path not in values:
        return ""
    return "null" if values[path] is None else values[path]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
