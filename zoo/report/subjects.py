"""What a report is about: finds out what kind of folder each path is. Light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from zoo.errors import RunError, UsageError
from zoo.report.blocks import Page
from zoo.rundir import Folds, Run, Search
from zoo.rundir.kinds import Kind, kind_of

SEVERAL = "report.html"  # Of several runs, in the current folder.


class Report(Protocol):
    """A report that can be written."""

    def page(self) -> Page:
        """Return the page."""

    def as_json(self) -> dict[str, Any]:
        """Return keys for `--json`."""


@dataclass(frozen=True)
class Subject:
    """A folder that a report is about.

    Attributes:
        kind: of the folder.
        folder: the folder.
    """

    kind: Kind
    folder: Path


def subject(path: str) -> Subject:
    """Return what a path is; of the folder of a recipe (`runs/NAME`), the newest in it.

    Raises:
        RunError: it is no folder of zoo's.
    """
    try:
        folder = Path(path).expanduser()
        kind = kind_of(folder)
        if kind is not None:
            return Subject(kind, folder)
        inner = [(child, kind_of(child)) for child in folder.iterdir() if child.is_dir()]
        # A name ends with the time and four letters: tune-20260101-120000-ab12.
        dated = sorted(
            (child.name.split("-")[-3:], child, kind) for child, kind in inner if kind is not None
        )
        if dated:
            _, newest, found = dated[-1]
            return Subject(found, newest)
        reason = "holds no run, search, cross-validation or check"
    except (OSError, RuntimeError, ValueError) as error:
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        if isinstance(error, FileNotFoundError):
            reason = "does not exist"
        elif isinstance(error, NotADirectoryError):
            reason = "is a file"
    raise RunError(
        f"{path}: {reason}. Expected a folder made by `zoo train`, `zoo tune` or `zoo check`, or "
        "the folder of a recipe's runs."
    )


def report(subjects: Sequence[Subject]) -> tuple[Report, Path]:
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
        words = {"search": "a search", "check": "the folder of a check"}
        raise UsageError(
            f"{apart[0].folder}: is {words[apart[0].kind]}, which has a report of its own. "
            "Expected several runs, or one search, or one check."
        )
    several = _several([_opened(each) for each in subjects])
    alone = len(subjects) == 1
    return several, Folds(subjects[0].folder).report_file if alone else Path(SEVERAL)


def _several(runs: Sequence[Run | Folds]) -> Report:
    from zoo.report.several.page import SeveralReport

    return SeveralReport(runs)


def _opened(each: Subject) -> Run | Folds:
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
