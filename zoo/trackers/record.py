"""What trackers are told of a run, a search, its trials or a cross-validation. Light.

It is read from the folder, so that a training and `zoo log` tell the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from zoo.errors import RunError
from zoo.files import json_files
from zoo.rundir import Folds, Run, Search
from zoo.rundir.folder import Folder
from zoo.rundir.liveness import KILLED
from zoo.rundir.resolving import resolve
from zoo.rundir.search import objective_of

TIME = "%Y-%m-%dT%H:%M:%S%z"
NOT_METRICS = ("epoch", "step")
# Measured once, of the model that is kept; `best_` parts them from the metrics of the last epoch.
SUMMARY = ("best_epoch", "parameters", "images_per_second", "stopped_early")
TEST = (
    "accuracy", "loss", "balanced_accuracy", "top5_accuracy", "ece", "mean_average_precision", "f1",
    "micro_f1",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run of a tracker.

    Attributes:
        folder: where it lies; of a trial, the search's.
        kind: `run`, `trial`, `search` or `folds`.
        name: of its folder, or of the trial.
        recipe: the recipe's name.
        status: of run.json, tune.json, folds.json or trials.jsonl, or `killed`.
        started: in Unix seconds.
        ended: likewise; None while it runs.
        params: values of the resolved recipe by path, or the values of a trial.
        config: the resolved recipe as maps and lists; empty for a trial.
        tags: what else is known of it, as text.
        rows: of each epoch; of a search, of each finished trial.
        summary: numbers measured once.
        files: to keep beside the numbers.
        model: folder of the newest SavedModel; None: there is none.
        group: name that trainings of different seeds share.
        trial: the row of trials.jsonl, of a trial.
    """

    folder: Folder
    kind: str
    name: str
    recipe: str
    status: str
    started: float
    ended: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    summary: Mapping[str, float] = field(default_factory=dict)
    files: Sequence[Path] = ()
    model: Path | None = None
    group: str | None = None
    trial: Mapping[str, Any] | None = None

    def epochs_after(self, epoch: int) -> Iterator[tuple[int, float, dict[str, float]]]:
        """Yields (epoch, Unix seconds, metrics) of the rows after an epoch.

        The time is computed from the seconds of the epochs, so that a row that is sent twice is
        the same.
        """
        at = self.started
        for row in self.rows:
            at += row.get("seconds") or 0.0
            if row["epoch"] > epoch:
                yield row["epoch"], at, metrics(row)

    @property
    def last_epoch(self) -> int:
        """Of the last row; 0 without rows."""
        return int(self.rows[-1]["epoch"]) if self.rows else 0


def metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row that are finite, but for those that number it."""
    return {
        key: float(value)
        for key, value in row.items()
        if key not in NOT_METRICS and isinstance(value, int | float)
    }


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Values of maps and lists by path, such as `model.stack.0.conv.filters`.

    Empty maps and lists are values.
    """
    if isinstance(value, Mapping):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(index), inner) for index, inner in enumerate(value)]
    else:
        items = []
    if not items:
        return {path: value} if path else {}
    found: dict[str, Any] = {}
    for key, inner in items:
        found |= flat(inner, f"{path}.{key}" if path else key)
    return found


def open_folder(path: str | Path, say: Callable[[str], None] | None = None) -> Run | Search | Folds:
    """Opens the folder of a run, a search or a cross-validation.

    Args:
        path: as the user wrote it.
        say: told in a line which folder of several was taken.

    Raises:
        RunError: it is none of them.
    """
    found = resolve(path, ("run", "folds", "search"), say)
    if found.kind == "search":
        return Search(found.folder)
    return Folds(found.folder) if found.kind == "folds" else Run(found.folder)


def record_of(folder: Folder, gone: bool = False) -> Record:
    """The record of a folder.

    Args:
        folder: of a run, a search or a cross-validation.
        gone: whether no process works in it, so that one that says it is running was killed.

    Raises:
        DamagedFile: a file holds something else than zoo wrote.
    """
    makers = {Run: _run, Search: _search, Folds: _folds}
    return makers[type(folder)](folder, gone)


def _run(run: Any, gone: bool) -> Record:
    from zoo.recipe.monitors import Monitor

    info = run.info()
    if info.get("name") is None:
        raise RunError(f"{run}: is no training: it was made by `zoo check`.")
    evaluation = run.evaluation() or {}
    summary = {key: info[key] for key in SUMMARY if info.get(key) is not None}
    if info["status"] == "done":
        best = {key: info[key] for key in get_args(Monitor) if info.get(key) is not None}
        summary |= {f"best_{key}": value for key, value in best.items()}
        summary["training_seconds"] = info.get("seconds") or 0.0
    tested = {f"test_{key}": evaluation.get(key) for key in TEST}
    summary |= {key: value for key, value in tested.items() if value is not None}
    exported = run.export_folder("saved_model")
    config = _config(run)
    return Record(
        **_common(run, info, config, gone),
        kind="run",
        config=config,
        rows=run.rows(),
        summary={key: float(value) for key, value in summary.items()},
        files=_existing(
            run.recipe_file, run.info_file, run.metrics_file, run.checks_file, run.evaluation_file,
            run.report_file,
        ),
        model=_newest(exported),
        group=info.get("group"),
    )  # fmt: skip


def _search(search: Any, gone: bool) -> Record:
    info = search.info()
    best = info.get("best") or {}
    summary = {key: best.get(key) for key in ("score", "score_sd", "seeds")}
    best_values = {
        f"best_{key}": float(value) for key, value in summary.items() if value is not None
    }
    config = info["recipe"]
    return Record(
        **_common(search, info, config, gone),
        kind="search",
        config=config,
        rows=list(_best_so_far(search, objective_of(info))),
        summary={**best_values, "search_seconds": float(info["seconds"])},
        files=_existing(
            search.recipe_file, search.info_file, search.csv_file, search.best_file,
            search.trials_file, search.report_file,
        ),
    )  # fmt: skip


def _folds(folds: Any, gone: bool) -> Record:
    info = folds.info()
    numbers = {f"mean_{key}": value for key, value in info.get("mean", {}).items()}
    numbers |= {f"sd_{key}": value for key, value in info.get("sd", {}).items()}
    config = _config(folds)
    return Record(
        **_common(folds, info, config, gone),
        kind="folds",
        config=config,
        summary={key: value for key, value in numbers.items() if isinstance(value, float)},
        files=_existing(folds.recipe_file, folds.info_file, folds.report_file),
    )


def trials(search: Search, after: int) -> Iterator[Record]:
    """The records of finished trials of a search.

    Args:
        search: its folder.
        after: this many are left out, the oldest ones.
    """
    from zoo.rundir.search_schema import TrialRow

    if not search.trials_file.is_file():
        return
    recipe = str(search.info().get("name"))
    rows = json_files.lines(search.trials_file, TrialRow, "Bring the file back from a copy.")
    for row, _ in islice(rows, after, None):
        measured = {key: row.get(key) for key in ("score", "seconds", "best_epoch", "steps")}
        tags = {"zoo.trial": row["trial"], "zoo.stage": row["stage"], "zoo.status": row["status"]}
        if row.get("reason"):
            tags["zoo.reason"] = str(row["reason"])
        yield Record(
            folder=search,
            kind="trial",
            name=row["trial"],
            recipe=recipe,
            status=row["status"],
            started=row.get("started") or 0.0,
            ended=row.get("ended") or 0.0,
            params={**row["values"], "seed": row["seed"]},
            tags=tags,
            rows=row.get("curve") or (),
            summary={key: float(value) for key, value in measured.items() if value is not None},
            trial=row,
        )


def _best_so_far(search: Search, objective: str) -> Iterator[dict[str, Any]]:
    """A row per finished trial, with the best score up to it."""
    from zoo.recipe.monitors import lower_is_better

    choose = min if lower_is_better(objective) else max
    best: float | None = None
    for number, trial in enumerate(trials(search, 0), 1):
        score = trial.summary.get("score") if trial.status == "done" else None
        if score is not None:
            best = score if best is None else choose(best, score)
        yield {"epoch": number, "best_score": best}


def _common(
    folder: Folder, info: Mapping[str, Any], config: Mapping[str, Any], gone: bool
) -> dict[str, Any]:
    """What all folders' records have."""
    running = info["status"] == "running"
    status = KILLED if running and gone else info["status"]
    started = info.get("started")
    data = info.get("data") or {}
    tags = {
        "zoo.version": info.get("zoo"), "zoo.recipe": info.get("name"),
        "zoo.recipe_hash": info.get("recipe_hash"), "zoo.folder": str(folder.folder.absolute()),
        "zoo.seed": info.get("seed"), "zoo.host": info.get("host"),
        "zoo.device": info.get("device"), "zoo.devices": info.get("devices"),
        "zoo.backend": info.get("backend"), "zoo.data": dataset(config),
        "zoo.data_fingerprint": data.get("fingerprint"), "zoo.status": status,
        "zoo.reason": info.get("reason"), "zoo.group": info.get("group"),
        "zoo.git_commit": info.get("git_commit"),
    }  # fmt: skip
    return {
        "folder": folder,
        "name": folder.folder.absolute().name,
        "recipe": str(info.get("name")),
        "status": status,
        "started": _unix(started) if started else folder.info_file.stat().st_mtime,
        "ended": folder.info_file.stat().st_mtime if gone or not running else None,
        "params": {key: value for key, value in flat(config).items() if key != "name"},
        "tags": {key: str(value) for key, value in tags.items() if value is not None},
    }


def dataset(config: Mapping[str, Any]) -> str | None:
    """The data of a recipe in a word: `digits`, or `folder pets`."""
    data = config.get("data")
    source = data.get("source") if isinstance(data, Mapping) else data
    if not isinstance(source, Mapping):
        return None if source is None else str(source)
    word, options = next(iter(source.items()), ("", None))
    given = options if isinstance(options, Mapping) else {"path": options}
    place = given.get("name") or given.get("path") or given.get("train")
    return f"{word} {Path(place).name}" if isinstance(place, str) else str(word)


def _config(folder: Folder) -> dict[str, Any]:
    """The recipe in a folder, as data."""
    from zoo.recipe.yaml_reader import read_file

    data = read_file(folder.recipe_file).data
    return data if isinstance(data, dict) else {}


def _existing(*files: Path) -> list[Path]:
    return [file for file in files if file.is_file()]


def _newest(exported: Path) -> Path | None:
    """The newest SavedModel in a folder of exports."""
    from zoo.artifact.layout import find_export

    found = find_export(exported) if exported.is_dir() else None
    return found.folder if found and found.format == "saved_model" else None


def _unix(stamp: str) -> float:
    """Seconds of a time in run.json; 0 for one that is none."""
    try:
        return datetime.strptime(stamp, TIME).timestamp()
    except ValueError:
        return 0.0
