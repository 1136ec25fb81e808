"""Everything worth knowing of a cross-validation, a search or a check: `zoo show`. Light."""

from __future__ import annotations

from collections import Counter
from typing import Any

from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.inventory.entry import Entry
from zoo.inventory.run_summary import checks, files, run_summary
from zoo.rundir import Folds, Run, Search
from zoo.rundir.liveness import KILLED
from zoo.text.commands import command

RESUMED = ("interrupted", KILLED, "failed")
FACTS = (
    "seed", "objective", "best", "edge_verdicts", "words", "workers", "device", "backend",
    "versions", "zoo", "data", "seconds", "out_of_time",
)  # fmt: skip
STAGE = ("name", "trials", "epochs", "finished", "kept", "oracle", "prune")


def summary(entry: Entry) -> dict[str, Any]:
    """Everything worth knowing of a folder of zoo, as `zoo show FOLDER --json` prints it.

    Args:
        entry: as `zoo.inventory.run_summary.read` returns it.

    Raises:
        DamagedFile: a file of it holds something else than zoo wrote.
    """
    kinds = {"run": run_summary, "folds": _folds, "search": _search, "check": _check}
    return kinds[entry.kind](entry)


def _folds(entry: Entry) -> dict[str, Any]:
    folds = Folds(entry.path)
    info = folds.info()
    steps = []
    if entry.status in RESUMED:
        steps.append(("go on with it", command("zoo", "train", "--resume", folds.folder)))
    keys = ("monitor", "backend", "devices", "zoo", "mean", "sd")
    return {
        **entry.as_json(),
        **{key: info.get(key) for key in keys},
        "files": files(entry.path),
        "notes": [],
        "next": [{"why": why, "command": line} for why, line in steps],
    }


def _search(entry: Entry) -> dict[str, Any]:
    search = Search(entry.path)
    info = search.info()
    notes: list[str] = []
    steps = []
    if entry.status in RESUMED:
        steps.append(("go on with it", command("zoo", "tune", "--resume", search.folder)))
    if search.best_file.exists():
        steps.append(("train the best recipe", command("zoo", "train", search.best_file)))
    if entry.done:
        steps.append(("see it all", command("zoo", "report", search.folder)))
    return {
        **entry.as_json(),
        **{key: info.get(key) for key in FACTS},
        "stages": [{key: stage.get(key) for key in STAGE} for stage in info["stages"]],
        "trials": _trials(search, notes),
        "files": files(entry.path),
        "notes": notes,
        "next": [{"why": why, "command": line} for why, line in steps],
    }


def _trials(search: Search, notes: list[str]) -> dict[str, int]:
    """How many trials ended how."""
    from zoo.rundir.search_schema import TrialRow

    counts: Counter[str] = Counter()
    if search.trials_file.exists():
        try:
            for row, _ in json_files.lines(search.trials_file, TrialRow, ""):
                counts[row["status"]] += 1
        except DamagedFile as error:
            notes.append(error.message)
    return dict(counts.most_common())


def _check(entry: Entry) -> dict[str, Any]:
    notes: list[str] = []
    report = checks(Run(entry.path), notes)
    return {
        **entry.as_json(),
        "checks": report,
        "files": files(entry.path),
        "notes": notes,
        "next": [],
    }
