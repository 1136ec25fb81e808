"""Everything worth knowing of one run, as plain data: `zoo show RUN`. Light."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.artifact.layout import MODEL_FILES, Artifact, version_folders
from zoo.errors import DamagedFile, RunError
from zoo.files import json_files
from zoo.files.folder_size import folder_size
from zoo.inventory.entry import Entry, read_entry
from zoo.rundir import Run
from zoo.rundir.liveness import KILLED
from zoo.significance import accuracy_interval
from zoo.text.commands import command

GOOD = ("PASS", "INFO")
FACTS = (
    "seed", "device", "devices", "processes", "backend", "loop", "versions", "zoo", "git_commit",
    "parameters", "seconds", "images_per_second", "stopped_early", "best_epoch", "monitor",
    "val_loss", "never_predicted", "warm_start", "extended", "data", "multi_label",
)  # fmt: skip
MEASURED = (
    "split", "images", "accuracy", "balanced_accuracy", "mean_average_precision", "loss", "ece",
    "test_evaluations",
)  # fmt: skip


def read(folder: Path) -> Entry:
    """Read a folder of zoo, with its folds or trials.

    Raises:
        DamagedFile: it cannot be read.
        RunError: it is none of zoo's.
    """
    try:
        entry = read_entry(folder, [path.name for path in folder.iterdir()], children=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror}.") from None
    if entry is None:
        raise RunError(f"{folder}: is no folder of a run or a search.")
    if entry.status == "damaged":
        raise DamagedFile(entry.problem or f"{folder}: is damaged.")
    return entry


def run_summary(entry: Entry) -> dict[str, Any]:
    """Everything worth knowing of a run, as `zoo show RUN --json` prints it.

    Args:
        entry: as `read` returns it.

    Raises:
        DamagedFile: run.json holds something else than zoo wrote.
    """
    run = Run(entry.path)
    info = run.info() if run.info_file.exists() else {}
    notes = [entry.problem] if entry.problem else []
    data = info.get("data") or {}
    metric = info.get("monitor") or "val_accuracy"
    names = info.get("class_names") or []
    summary = {
        **entry.as_json(),
        **{key: info.get(key) for key in FACTS},
        "classes": len(names),
        metric: info.get(metric, entry.val_accuracy),
        "val_accuracy_95": accuracy_interval(entry.val_accuracy, data.get("validation")),
        "test": _test(run, info, notes),
        "checks": checks(run, notes),
        "exports": list(_exports(run, notes)),
        "files": files(entry.path),
    }
    summary["notes"] = notes
    return {**summary, "next": _next(run, summary)}


def _test(run: Run, info: Mapping[str, Any], notes: list[str]) -> dict[str, Any] | None:
    """What evaluation.json says of the present model; None where it was not measured."""
    try:
        evaluation = run.evaluation(info) if info else None
    except DamagedFile as error:
        notes.append(error.message)
        return None
    if evaluation is None:
        return None
    known = {key: evaluation[key] for key in MEASURED if key in evaluation}
    return {**known, "accuracy_95": accuracy_interval(evaluation["accuracy"], evaluation["images"])}


def checks(run: Run, notes: list[str]) -> dict[str, Any] | None:
    """The verdict of checks.json and the findings that warn or fail; None where there is none.

    Args:
        run: that was checked, or the folder of a check.
        notes: told what is wrong with the file.
    """
    if not run.checks_file.exists():
        return None
    try:
        content = json_files.read_bytes(run.checks_file, "")
        report = json_files.parse(content, str(run.checks_file), "Check again.")
        findings = [
            {key: str(finding[key]) for key in ("id", "name", "verdict", "advice")}
            for finding in report["findings"]
        ]
        counts: dict[str, int] = {}
        for finding in findings:
            counts[finding["verdict"]] = counts.get(finding["verdict"], 0) + 1
        bad = [finding for finding in findings if finding["verdict"] not in GOOD]
        return {"verdict": str(report["verdict"]), "counts": counts, "findings": bad}
    except DamagedFile as error:
        notes.append(error.message)
    except (KeyError, TypeError):
        notes.append(f"{run.checks_file}: not what zoo wrote.")
    return None


def _exports(run: Run, notes: list[str]) -> Any:
    """Each exported model with its newest version, its bytes and the comparison with the run."""
    folder = run.export_folder("")
    if not folder.is_dir():
        return
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        parity = _parity(run, place.name, notes)
        for model in sorted(path for path in place.iterdir() if path.is_dir()):
            versions = version_folders(model)
            if model.name.startswith(".") or not versions:
                continue
            newest = versions[max(versions)]
            format = next(
                (key for key, name in MODEL_FILES.items() if (newest / name).exists()), None
            )
            yield {
                "format": place.name,
                "path": str(newest),
                "bytes": Artifact(newest, format).size() if format else None,
                "parity": parity,
            }


def _parity(run: Run, variant: str, notes: list[str]) -> dict[str, Any] | None:
    file = run.parity_file(variant)
    try:
        parity = json_files.parse(file.read_bytes(), str(file), "Export the run again.")
        keys = ("passed", "max_abs_diff", "top1_agreement", "images", "tolerance")
        return {key: parity.get(key) for key in keys}
    except FileNotFoundError:
        return None
    except DamagedFile as error:
        notes.append(error.message)
    except (OSError, AttributeError):
        notes.append(f"{file}: not what zoo wrote.")
    return None


def files(folder: Path) -> list[dict[str, Any]]:
    """What lies in a folder, with bytes: files, and folders with all that is below them.

    Args:
        folder: of a run or a search.
    """
    return [
        {
            "name": f"{path.name}/" if path.is_dir() else path.name,
            "bytes": folder_size(path) if path.is_dir() else path.lstat().st_size,
        }
        for path in sorted(folder.iterdir())
    ]


def _next(run: Run, summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a user may want to do, the most likely first: why, and the command."""
    folder = run.folder
    status = summary["status"]
    steps: list[tuple[str, str]] = []
    if status in ("interrupted", KILLED, "failed"):
        if run.recipe_file.exists() and summary["data"]:
            steps.append(("go on with it", command("zoo", "train", "--resume", folder)))
        elif run.recipe_file.exists():
            steps.append(("train it anew", command("zoo", "train", run.recipe_file)))
        else:
            steps.append(("remove it", command("zoo", "runs", folder, "--clean")))
    if status == "diverged":
        steps.append(("find a learning rate", command("zoo", "check", run.recipe_file)))
    if status == "done":
        has_test = (summary["data"] or {}).get("test") is not None
        if summary["test"] is None and has_test:
            steps.append(("measure it on the test", command("zoo", "evaluate", folder)))
        if not summary["exports"]:
            steps.append(("export it", command("zoo", "export", folder)))
        else:
            newest = summary["exports"][0]["path"]
            steps.append(("serve it", command("zoo", "serve", newest)))
    if run.model_file.exists():
        steps.append(("see it all", command("zoo", "report", folder)))
    return [{"why": why, "command": line} for why, line in steps]
