"""Which kind of folder zoo made: a file in it shows that. Light."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

Kind = Literal["search", "folds", "run", "check"]
# Kind -> the file that shows it. In this order: the folder of a run holds checks.json, too.
MARKS: dict[Kind, str] = {
    "search": "tune.json",
    "folds": "folds.json",
    "run": "run.json",
    "check": "checks.json",
}
# Name of a folder that zoo makes: its kind (none of a run) and its time are groups.
STAMP = re.compile(r"(?:([a-z]+)-)?(\d{8}-\d{6})-[0-9a-f]{4}")
NOUNS: dict[Kind, str] = {
    "search": "a search",
    "folds": "a cross-validation",
    "run": "a run",
    "check": "a check",
}
PLURALS: dict[Kind, str] = {
    "search": "searches",
    "folds": "cross-validations",
    "run": "runs",
    "check": "checks",
}
# Kind -> the command that makes such folders.
MAKERS: dict[Kind, str] = {
    "search": "zoo tune",
    "folds": "zoo train",
    "run": "zoo train",
    "check": "zoo check",
}
DEEPEST = 3  # Levels below a search that its trials, and folders in them, lie at.


def kind_of(folder: Path) -> Kind | None:
    """Return the kind of a folder; None if it is none of zoo's.

    Raises:
        OSError: nobody may look into the folder.
    """
    return next((kind for kind, name in MARKS.items() if (folder / name).is_file()), None)


def whole_of(folder: Path) -> Path | None:
    """The cross-validation or search that a folder is a part of: a fold, a trial, what lies in one.

    Args:
        folder: any folder; links on the way to it are resolved.

    Returns:
        The folder of the whole, resolved; None if the folder is a part of nothing.
    """
    resolved = Path(os.path.realpath(folder))
    for parent in resolved.parents[:DEEPEST]:
        marked = any(os.path.lexists(parent / name) for name in MARKS.values())
        if marked or STAMP.fullmatch(parent.name):
            return parent
    return None
