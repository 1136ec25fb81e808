"""The folder of one search."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.files import json_files
from zoo.files.regular import open_regular
from zoo.rundir.files import write_json
from zoo.rundir.folder import Folder, create_folder
from zoo.rundir.kinds import MARKS
from zoo.rundir.run import Run

if TYPE_CHECKING:
    from pydantic import BaseModel


def objective_of(info: Mapping[str, Any]) -> str:
    """The metric that the trials of a search are compared by.

    Args:
        info: tune.json. Those of older versions lack the objective, and hold the recipe's; a search
            that has no data yet may say `auto`.
    """
    given = str((info["recipe"].get("tune") or {}).get("objective", "auto"))
    return str(info.get("objective") or ("val_accuracy" if given == "auto" else given))


class Search(Folder):
    """The folder of one `zoo tune`."""

    KIND = "search"
    INFO_NAME = MARKS[KIND]
    STATUSES = ("running", "done", "interrupted", "failed")

    @classmethod
    def create(cls, out: Path, name: str) -> Search:
        """Make a new folder `out/name/tune-<time>-<hex>`.

        Raises:
            EnvironmentFault: the folder cannot be made.
        """
        return cls(create_folder(out, name, "tune-"))

    @property
    def best_file(self) -> Path:
        """Path of the recipe that won."""
        return self.folder / "best.yaml"

    @property
    def trials_file(self) -> Path:
        """Path of the journal of finished trials."""
        return self.folder / "trials.jsonl"

    @property
    def attempts_file(self) -> Path:
        """Path of the journal of begun trials."""
        return self.folder / "attempts.jsonl"

    @property
    def csv_file(self) -> Path:
        """Path of the table of finished trials."""
        return self.folder / "trials.csv"

    def trial(self, name: str) -> Run:
        """Return the run folder of a trial, which need not exist."""
        return Run(self.folder / "trials" / name)

    def kept_trials(self) -> list[str]:
        """List the trials that have a run folder."""
        return sorted(child.name for child in (self.folder / "trials").glob("*/"))

    def finished_trials(self) -> int:
        """Count the rows of the journal; a torn last one does not count.

        Raises:
            OSError: it cannot be read.
        """
        try:
            with open_regular(self.trials_file) as file:
                return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        except FileNotFoundError:
            return 0

    def worker_log(self, index: int) -> Path:
        """Return the path of a worker's log; make its folder."""
        folder = self.folder / "workers"
        folder.mkdir(exist_ok=True)
        return folder / f"{index}.log"

    def info(self) -> dict[str, Any]:
        """Read tune.json.

        Raises:
            DamagedFile: it is missing, or holds something else than zoo wrote.
        """
        from zoo.rundir.search_schema import SearchInfo

        advice = "Bring the file back from a copy, or begin a new search."
        return json_files.read(self.info_file, SearchInfo, advice)

    def rows(self) -> list[dict[str, Any]]:
        """Read trials.jsonl: a row per finished trial, oldest first, without their curves.

        A torn last line, which a crash leaves, is left out.

        Raises:
            DamagedFile: a row holds something else than zoo wrote.
        """
        from zoo.rundir.search_schema import TrialRow

        rows = self._lines(self.trials_file, TrialRow)
        return [{key: row[key] for key in row if key != "curve"} for row in rows]

    def begun(self) -> Counter[str]:
        """Read attempts.jsonl: how often each trial was begun.

        Raises:
            DamagedFile: a row holds something else than zoo wrote.
        """
        from zoo.rundir.search_schema import AttemptRow

        return Counter(row["trial"] for row in self._lines(self.attempts_file, AttemptRow))

    def _lines(self, file: Path, schema: type[BaseModel]) -> Iterator[dict[str, Any]]:
        if not os.path.lexists(file):
            return
        advice = "Was the file edited? Remove that line, and its trial is run again."
        for row, _ in json_files.lines(file, schema, advice):
            yield row

    def write_info(self, info: dict[str, Any]) -> None:
        """Write tune.json."""
        if info.get("status") not in self.STATUSES:
            raise ValueError(f"unknown status {info.get('status')!r}. Expected {self.STATUSES}.")
        write_json(self.info_file, info)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
