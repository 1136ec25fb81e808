"""Which kind of folder zoo made: a file in it shows that. Light."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from zoo.rundir.folds import Folds
from zoo.rundir.run import Run
from zoo.rundir.search import Search

Kind = Literal["search", "folds", "run", "check"]
# Kind -> the file that shows it. In this order: the folder of a run holds checks.json, too.
MARKS: dict[Kind, str] = {
    "search": Search.INFO_NAME,
    "folds": Folds.INFO_NAME,
    "run": Run.INFO_NAME,
    "check": Run.CHECKS_NAME,
}


def kind_of(folder: Path) -> Kind | None:
    """Return the kind of a folder; None if it is none of zoo's.

    Raises:
        OSError: nobody may look into the folder.
    """
    return next((kind for kind, name in MARKS.items() if (folder / name).is_file()), None)
