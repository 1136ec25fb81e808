"""What `zoo runs` says of a run, a check, a cross-validation or a search. Light."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.files.folder_size import folder_size
from zoo.files.regular import open_regular
from zoo.rundir import Folds, Run, Search
from zoo.rundir.files import TEMPORARY
from zoo.rundir.kinds import MARKS, STAMP, Kind
from zoo.rundir.liveness import KILLED, is_elsewhere, is_locked, present_status
from zoo.rundir.search import objective_of

DAMAGED = "damaged"
STATUSES = ("done", "running", "interrupted", KILLED, "failed", "diverged", DAMAGED)
# Begin of a folder's name -> its kind; a run for others.
KINDS: dict[str | None, Kind] = {"folds": "folds", "tune": "search", "check": "check"}
MAX_RECIPE = 1 << 20  # Bytes of a recipe that are looked through.
LAST_ROW = 1 << 22  # Bytes at the end of metrics.jsonl that its last row is looked for in.
BEGINNING = 600  # Seconds that a new folder may wait for its first file, on whichever host.
_EPOCHS = re.compile(rb"\bepochs: (\d{1,9})\b")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of `zoo runs`.

    Attributes:
        kind: run, check, folds, search; or seeds, for runs of one recipe that differ in it.
        path: of its folder; of seeds, the folder that holds theirs.
        name: of the recipe; None where it is not known.
        status: of `STATUSES`; of seeds that differ in it, each with their number.
        reason: why it ended, if the run says so.
        started: ISO 8601, or None.
        done: number of epochs, folds or trials that are done.
        planned: how many were planned; None where it is not known.
        val_accuracy: of the best epoch, or of the last one so far; of several trainings the mean.
        val_accuracy_sd: standard deviation of several trainings.
        test_accuracy: if the present model was measured on the test split.
        test_accuracy_sd: as `val_accuracy_sd`.
        bytes: size of its files.
        problem: what is wrong with a damaged folder, or with a file that a line is read from.
        seed: of a run.
        host: that it was begun on.
        elsewhere: whether another host runs it.
        linked: whether a link on the way leads there.
        signature: equal as long as nobody wrote what the status was read from.
        family: equal for runs whose recipes and data differ in the seed alone; "" for others.
        children: folds, seeds, or the trials of a search that have a folder.
    """

    kind: str
    path: Path
    status: str
    name: str | None = None
    reason: str | None = None
    started: str | None = None
    done: int | None = None
    planned: int | None = None
    val_accuracy: float | None = None
    val_accuracy_sd: float | None = None
    test_accuracy: float | None = None
    test_accuracy_sd: float | None = None
    bytes: int = 0
    problem: str | None = None
    seed: int | None = None
    host: str | None = None
    elsewhere: bool = False
    linked: bool = False
    signature: tuple[int, ...] = ()
    family: str = ""
    children: tuple[Entry, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The entry of `runs` in `zoo runs --json`."""
        return {
            "kind": self.kind,
            "path": str(self.path),
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "started": self.started,
            "done": self.done,
            "planned": self.planned,
            "seed": self.seed,
            "val_accuracy": self.val_accuracy,
            "val_accuracy_sd": self.val_accuracy_sd,
            "test_accuracy": self.test_accuracy,
            "test_accuracy_sd": self.test_accuracy_sd,
            "bytes": self.bytes,
            "host": self.host,
            "problem": self.problem,
            "children": [child.as_json() for child in self.children],
        }


def read_entry(folder: Path, names: Collection[str], *, children: bool = False) -> Entry | None:
    """Read what `zoo runs` says of a folder.

    Args:
        folder: any folder.
        names: of the files in it.
        children: whether folds and trials are read, too.

    Returns:
        The entry; None if the folder is none of zoo's.
    """
    for info_name, read in _READERS.items():
        if info_name in names:
            try:
                return read(folder, names, children)
            except DamagedFile as error:
                return damaged(folder, error.message)
            except OSError as error:
                return damaged(folder, f"{folder}: cannot be read: {error.strerror}.")
    stamp = STAMP.fullmatch(folder.name)
    if stamp is None:
        return None
    if stamp[1] == "check" and Run.CHECKS_NAME in names:
        return _check(folder)
    recipe = Run(folder).recipe_file.name
    if all(name == recipe or fnmatchcase(name, TEMPORARY) for name in names):
        entry = replace(damaged(folder, ""), problem=None, signature=signature(folder))
        if is_locked(folder) or _is_young(folder):
            return replace(entry, status="running")
        reason = "it was ended before its first file was written"
        return replace(entry, status=KILLED, reason=reason)
    return damaged(folder, f"{folder}: has no {MARKS[KINDS.get(stamp[1], 'run')]}.")


def damaged(folder: Path, problem: str) -> Entry:
    """The entry of a folder that cannot be read as what its name says.

    Args:
        folder: its path.
        problem: what is wrong.
    """
    stamp = STAMP.fullmatch(folder.name)
    return Entry(
        kind=KINDS.get(stamp[1], "run") if stamp else "run",
        path=folder,
        status=DAMAGED,
        problem=problem,
        started=stamped_time(folder),
        bytes=folder_size(folder),
    )


def signature(path: Path) -> tuple[int, ...]:
    """What changes with every write of a file, or with every new file in a folder.

    Args:
        path: of the file or folder; () where it is gone.
    """
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _is_young(folder: Path) -> bool:
    """Whether a folder may be one that a process has just made, and not locked yet.

    Nor would the lock of a process on another host be seen here. A time far in the future is that
    of a wrong clock.
    """
    try:
        return abs(time.time() - folder.stat().st_mtime) < BEGINNING
    except OSError:
        return False


def stamped_time(folder: Path) -> str | None:
    """The time in the name of a folder, as ISO 8601 without an offset; None if there is none."""
    stamp = STAMP.fullmatch(folder.name)
    if stamp is None:
        return None
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.strptime(stamp[2], "%Y%m%d-%H%M%S"))
    except ValueError:
        return None


def _common(folder: Run | Folds | Search, info: Mapping[str, Any]) -> dict[str, Any]:
    path = folder.folder
    return {
        "path": path,
        "name": info.get("name"),
        "status": present_status(path, info),
        "reason": info.get("reason"),
        "started": info.get("started") or stamped_time(path),
        "host": info.get("host"),
        "elsewhere": info["status"] == "running" and is_elsewhere(info),
        "bytes": folder_size(path),
    }


def _run(folder: Path, names: Collection[str], children: bool) -> Entry:
    run = Run(folder)
    before = signature(run.info_file)
    info = run.info()
    planned, without_seed = _planned_and_family(run)
    row: dict[str, Any] = info
    done = info.get("epochs")
    if done is None or info["status"] == "running":
        row = _last_row(run)
        done = row.get("epoch")
    entry = Entry(
        kind="run",
        **_common(run, info),
        signature=before,
        done=done,
        planned=planned,
        val_accuracy=row.get("val_accuracy"),
        seed=info.get("seed"),
        family=f"{without_seed} {info['data']['fingerprint']}" if info.get("data") else "",
    )
    if run.evaluation_file.name not in names:
        return entry
    try:
        evaluation = run.evaluation(info)
    except DamagedFile as error:
        return replace(entry, problem=error.message)
    of_test = evaluation is not None and evaluation["split"] == "test"
    return replace(entry, test_accuracy=evaluation["accuracy"]) if evaluation and of_test else entry


def _planned_and_family(run: Run) -> tuple[int | None, str]:
    """The planned epochs, and a hash of the recipe without its seed.

    zoo wrote the recipe, so that its text is known well enough: YAML takes 20 ms a file to read.
    """
    try:
        with open_regular(run.recipe_file) as file:
            text = b"\n" + file.read(MAX_RECIPE)
    except OSError:
        return None, ""
    before, _, rest = text.partition(b"\nseed: ")
    digest = hashlib.sha256(before + rest.partition(b"\n")[2]).hexdigest()
    start = text.find(b"\ntrain:")
    epochs = _EPOCHS.search(text, start) if start >= 0 else None
    return int(epochs[1]) if epochs else None, digest


def _last_row(run: Run) -> dict[str, Any]:
    """The last whole row of metrics.jsonl; epoch 0 where there is none, {} where it is no row."""
    try:
        with open_regular(run.metrics_file) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LAST_ROW))
            rows = file.read(LAST_ROW).split(b"\n")[:-1]
        row = json.loads(rows[-1]) if rows else {"epoch": 0}
    except FileNotFoundError:
        return {"epoch": 0}
    except (OSError, ValueError, RecursionError):
        return {}
    numbers = isinstance(row, dict) and isinstance(row.get("epoch"), int)
    accuracy = row.get("val_accuracy") if numbers else None
    return {
        "epoch": row["epoch"] if numbers else None,
        "val_accuracy": accuracy if isinstance(accuracy, float) else None,
    }


def _check(folder: Path) -> Entry:
    """The folder of a `zoo check`; its checks.json is all that there is of it."""
    file = Run(folder).checks_file
    advice = "Bring the file back from a copy, or check again."
    report = json_files.parse(json_files.read_bytes(file, advice), str(file), advice)
    if not isinstance(report, dict):
        raise DamagedFile(f"{file}: not what zoo wrote. Expected a JSON object. {advice}")
    name = re.search(r"^name: (.*)$", str(report.get("recipe", "")), re.MULTILINE)
    return Entry(
        kind="check",
        path=folder,
        name=name[1] if name else None,
        status="done",
        reason=str(report.get("verdict")),
        started=stamped_time(folder),
        bytes=folder_size(folder),
    )


def _folds(folder: Path, names: Collection[str], children: bool) -> Entry:
    folds = Folds(folder)
    before = signature(folds.info_file)
    info = folds.info()
    count = int(info["of"])
    inner = [run.folder for run in folds.begun_runs()] if children else []
    return Entry(
        kind="folds",
        **_common(folds, info),
        signature=before,
        done=sum(row["status"] == "done" for row in info.get("folds") or ()),
        planned=count,
        val_accuracy=(info.get("mean") or {}).get("val_accuracy"),
        val_accuracy_sd=(info.get("sd") or {}).get("val_accuracy"),
        test_accuracy=(info.get("mean") or {}).get("accuracy"),
        test_accuracy_sd=(info.get("sd") or {}).get("accuracy"),
        children=_inner(inner),
    )


def _search(folder: Path, names: Collection[str], children: bool) -> Entry:
    search = Search(folder)
    before = signature(search.info_file)
    info = search.info()
    best = info.get("best") or {}
    by_accuracy = objective_of(info) == "val_accuracy"
    inner = [search.trial(name).folder for name in search.kept_trials()] if children else []
    return Entry(
        kind="search",
        **_common(search, info),
        signature=before,
        done=search.finished_trials(),
        val_accuracy=best.get("score") if by_accuracy else None,
        val_accuracy_sd=best.get("score_sd") if by_accuracy else None,
        children=_inner(inner),
    )


def _inner(folders: list[Path]) -> tuple[Entry, ...]:
    """The runs inside of folds or a search."""
    entries = []
    for folder in folders:
        try:
            names = {path.name for path in folder.iterdir()}
        except OSError:
            continue
        entry = read_entry(folder, names)
        if entry is not None:
            entries.append(entry)
    return tuple(entries)


_READERS = {Folds.INFO_NAME: _folds, Search.INFO_NAME: _search, Run.INFO_NAME: _run}
