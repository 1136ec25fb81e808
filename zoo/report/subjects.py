"""The report of each kind of folder. Light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from zoo.errors import UsageError
from zoo.report.blocks import Page
from zoo.rundir import Folds, Run, Search
from zoo.rundir.kinds import NOUNS, Kind
from zoo.rundir.resolving import Resolved

SEVERAL = "report.html"  # Of several runs, in the current folder.


class Report(Protocol):
    """A report that can be written."""

    def page(self) -> Page:
        """Return the page."""

    def as_json(self) -> dict[str, Any]:
        """Return keys for `--json`."""


def report(subjects: Sequence[Resolved]) -> tuple[Report, Path]:
    """Return the report of one or several folders, and where it is written by default.

    Raises:
        UsageError: the folders do not go together.
        DamagedFile: a file without which there is no report cannot be read.
    """
    if len(subjects) == 1 and subjects[0].kind in ALONE:
        only = subjects[0]
        return ALONE[only.kind](only.folder), Run(only.folder).report_file
    apart = [each for each in subjects if each.kind not in ("run", "folds")]
    if apart:
        raise UsageError(
            f"{apart[0].folder}: is {NOUNS[apart[0].kind]}, which has a report of its own. "
            "Expected several runs, or one search, or one check."
        )
    several = _several([_opened(each) for each in subjects])
    alone = len(subjects) == 1
    return several, Folds(subjects[0].folder).report_file if alone else Path(SEVERAL)


def _several(runs: Sequence[Run | Folds]) -> Report:
    from zoo.report.several.page import SeveralReport

    return SeveralReport(runs)


def _opened(each: Resolved) -> Run | Folds:
    return Folds(each.folder) if each.kind == "folds" else Run(each.folder)


def _run_report(folder: Path) -> Report:
    from zoo.report.run.page import RunReport

    return RunReport(Run(folder))


def _check_report(folder: Path) -> Report:
    from zoo.report.check.page import ChecksReport

    return ChecksReport(Run(folder))


def _search_report(folder: Path) -> Report:
    from zoo.report.search.outcome import read
    from zoo.report.search.page import SearchReport

    return SearchReport(read(Search(folder)))


ALONE: dict[Kind, Callable[[Path], Report]] = {
    "run": _run_report,
    "check": _check_report,
    "search": _search_report,
}
