"""Writes an export, has a fresh process answer with it, and keeps it only if the answers agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.artifact.layout import Artifact, versions
from zoo.artifact.trained_run import TrainedRun
from zoo.data.load import load as load_data
from zoo.errors import DataError, Diverged, EnvironmentFault, ParityError, RunError, ZooError
from zoo.export import card, warmup
from zoo.export.formats import FORMATS, write_labels
from zoo.export.parity import compare
from zoo.rundir import write_json
from zoo.rundir.files import locked

NEW = ".new-"
SETTLED_SECONDS = 60  # A folder this young may be about to be locked.


def export(
    trained: TrainedRun,
    format: str = "saved_model",
    out: Path | None = None,
    version: int | None = None,
) -> dict[str, Any]:
    """Exports the best model of a run.

    Args:
        trained: the run.
        format: a key of `FORMATS`.
        out: the folder that NAME/VERSION goes into; None: the run's own, export/FORMAT.
        version: the version's number. None: 1, which replaces the run's older export once the new
            one has passed; in `out` the next that is free.

    Returns:
        path, format, parity: what `zoo export --json` prints.

    Raises:
        ParityError: the export predicts something else than the model; parity.json tells, and
            nothing that could be served is left.
        Diverged: the run did.
        RunError: `out` has that version: what may be served is not changed.
        EnvironmentFault: TensorFlow, or what the format needs, is not installed.
    """
    require(format)
    if trained.info.get("status") == "diverged":
        raise Diverged(
            f"{trained.run}: its training diverged, so that nothing is exported: what it holds is "
            "a model from before. Lower the learning rate and train again."
        )
    if keras.backend.backend() != "tensorflow":
        return _by_tensorflow(trained, format, out, version)
    folder = out or trained.run.export_folder(format)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    version = _version(folder / trained.info["name"], version, out is not None)
    final = folder / trained.info["name"] / str(version)
    # Beside its place, so that it moves there in one step.
    with tempfile.TemporaryDirectory(prefix=NEW, dir=folder) as name:
        aside = Path(name)
        with locked(aside, os.getpid):
            made = Artifact(aside / str(version), format)
            parity = _passed(trained, made, version, final if out is None else None)
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():  # The old one serves until the new one has passed.
                final.rename(aside / "old")
            made.folder.rename(final)
    return {"path": str(final), "format": format, "parity": parity}


def _passed(trained: TrainedRun, made: Artifact, version: int, old: Path | None) -> dict[str, Any]:
    """Makes the export and compares it; keeps what the comparison says in the run.

    Args:
        trained: the run.
        made: the export to be.
        version: its number.
        old: what it is to replace. A failure takes it away: it is of an older comparison. None: the
            export goes out of the run, which may then be read-only.

    Raises:
        ParityError: it predicts something else, or cannot be made.
    """
    file = trained.run.parity_file(made.format)
    parity: dict[str, Any] = {"passed": False}
    try:
        parity = _made(trained, made, version, made.folder.parent)
        if not parity["passed"]:
            raise ParityError(_refusal(parity, file))
    except ParityError as error:
        if old:
            shutil.rmtree(old, ignore_errors=True)
            with suppress(OSError):  # Other versions stay, and so does their folder.
                old.parent.rmdir()
        _keep({**parity, "error": error.message}, file, old is None)
        raise
    _keep(parity, file, old is None)
    return parity


def _sweep(folder: Path) -> None:
    """Takes away what killed exports left; one that still works holds its lock."""
    for left in folder.glob(f"{NEW}*"):
        try:
            if time.time() - left.stat().st_mtime > SETTLED_SECONDS:
                with locked(left, lambda: None):
                    shutil.rmtree(left, ignore_errors=True)
        except (RunError, OSError):
            continue


def _keep(parity: dict[str, Any], file: Path, elsewhere: bool) -> None:
    """Writes parity.json into the run, which may be read-only where the export goes elsewhere."""
    try:
        write_json(file, parity)
    except OSError:
        if not elsewhere:
            raise


def _version(folder: Path, wanted: int | None, kept: bool) -> int:
    """The number of a new version in a folder of versions; `kept`: none may be replaced."""
    if not kept:
        return wanted or 1
    free = max(versions(folder), default=0) + 1
    if wanted is not None and wanted in versions(folder):
        raise RunError(
            f"{folder / str(wanted)}: exists. Servers do not look at a version twice, so none is "
            f"changed: leave --model-version out, or choose a free one, such as {free}."
        )
    return wanted or free


def _made(trained: TrainedRun, made: Artifact, version: int, work: Path) -> dict[str, Any]:
    made.folder.mkdir()
    try:
        FORMATS[made.format].write(trained, made.folder)
    except ZooError:
        raise
    except Exception as error:  # Each converter has errors of its own for what it cannot write.
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise ParityError(
            f"the network cannot be written as {made.format}: {reason[0]}. Nothing was exported."
        ) from error
    made.extra.mkdir(exist_ok=True)
    data = load_data(trained.recipe)
    if made.format == "saved_model":
        (image,) = data.validation.images(np.array([0]))
        warmup.write(made.warmup_file, trained.info["name"], image)
    else:
        write_labels(made.labels_file, trained.class_names)
    parity = compare(trained, made, data, work)
    card.write(trained, made, version, parity)
    return parity


def _refusal(parity: dict[str, Any], file: Path) -> str:
    if not parity["labels"]:
        return "the export names other classes than the run. Nothing was exported."
    return (
        f"the export predicts something else than the model: probabilities differ by "
        f"{parity['max_abs_diff']:.3g}, two calls by {parity['max_repeat_diff']:.3g}. "
        f"Expected at most {parity['tolerance']:g}. Nothing was exported; see {file}."
    )


def require(format: str) -> None:
    """Refuses a format whose packages are not installed.

    Raises:
        EnvironmentFault: with the command that installs them.
    """
    missing = [name for name in FORMATS[format].needs if find_spec(name) is None]
    if missing:
        raise EnvironmentFault(
            f"--format {format} needs {', '.join(missing)}: "
            f'pip install "zoo-keras[{FORMATS[format].extra}]"'
        )


def _by_tensorflow(
    trained: TrainedRun, format: str, out: Path | None, version: int | None
) -> dict[str, Any]:
    """Exports in another process, since one process has one backend."""
    words: Sequence[str] = [str(trained.run), "--format", format, "--json"]
    command = [sys.executable, "-m", "zoo", "export", *words]
    command += ["--model-version", str(version)] if version else []
    command += ["--out", str(out)] if out else []
    command += [word for change in trained.overrides for word in ("--set", change)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise EnvironmentFault(f"the export through TensorFlow failed: {done.stderr}") from None
    if "error" in answer:
        kinds = {
            "parity": ParityError,
            "diverged": Diverged,
            "data": DataError,
            "run": RunError,
        }
        raise kinds.get(answer["error"]["kind"], EnvironmentFault)(answer["error"]["message"])
    return answer
