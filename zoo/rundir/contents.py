"""Which files zoo writes into its folders, so that a removal spares what it did not write. Light.

A new file of a run or a search has a line here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from zoo.rundir.files import TEMPORARY

FILE = "file"
ANY = "any"  # A folder whose files another program writes, such as the formats of exports.
EVENTS: dict[str, Any] = {"events.out.tfevents.*": FILE}
EVENTS["*"] = EVENTS
_PLOTS = {"*.png": FILE}
_TRACKERS = {"trackers.json": FILE, "trackers.log": FILE}
# Pattern of a name -> FILE, ANY, or the contents of a folder. The first pattern that fits counts.
RUN: dict[str, Any] = {
    "run.json": FILE,
    "recipe.yaml": FILE,
    "metrics.jsonl": FILE,
    "metrics.csv": FILE,
    **_TRACKERS,
    "checks.json": FILE,
    "evaluation.json": FILE,
    "best.keras": FILE,
    "report.html": FILE,
    "report": {"test*.zip": FILE, "validation*.zip": FILE, "training.zip": FILE},
    "plugins": {"*.py.txt": FILE},
    "state": {"step-*.npz": FILE},
    "export": ANY,
    "plots": _PLOTS,
    "tensorboard": EVENTS,
}
CHECK: dict[str, Any] = {"checks.json": FILE, "report.html": FILE, "plots": _PLOTS}
FOLDS: dict[str, Any] = {
    "folds.json": FILE,
    **_TRACKERS,
    "recipe.yaml": FILE,
    "report.html": FILE,
    "fold-*": RUN,
}
SEARCH: dict[str, Any] = {
    "tune.json": FILE,
    **_TRACKERS,
    "recipe.yaml": FILE,
    "best.yaml": FILE,
    "trials.jsonl": FILE,
    "attempts.jsonl": FILE,
    "trials.csv": FILE,
    "report.html": FILE,
    "trials": {"*": RUN},
    "workers": {"*.log": FILE},
    "plots": _PLOTS,
    "tensorboard": EVENTS,
}
CONTENTS = {"run": RUN, "check": CHECK, "folds": FOLDS, "search": SEARCH}


def foreign(folder: Path, contents: Mapping[str, Any]) -> Iterator[str]:
    """Yield what zoo did not write in a folder, as paths relative to it; links among them.

    Args:
        folder: of a run, a check, folds or a search.
        contents: of `CONTENTS`.

    Raises:
        OSError: a folder cannot be listed.
    """
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        kind = next((kind for name, kind in contents.items() if fnmatchcase(entry.name, name)), "")
        if fnmatchcase(entry.name, TEMPORARY) and not kind:
            kind = FILE
        if entry.is_symlink():
            yield entry.name
        elif entry.is_dir():
            if isinstance(kind, Mapping):
                yield from (f"{entry.name}/{name}" for name in foreign(folder / entry.name, kind))
            elif kind != ANY:
                yield f"{entry.name}/"
        elif kind != FILE or not entry.is_file():
            yield entry.name
