"""Writes an export, has a fresh process answer with it, and keeps it only if the answers agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.artefact import Artefact
from zoo.data.load import load as load_data
from zoo.errors import DataError, Diverged, EnvironmentFault, ParityError
from zoo.export import card, warmup
from zoo.export.formats import FORMATS, write_labels
from zoo.export.parity import compare
from zoo.run import write_json
from zoo.trained import Trained


def export(
    trained: Trained, form: str = "saved_model", out: Path | None = None, version: int = 1
) -> dict[str, Any]:
    """Exports the best model of a run.

    Args:
        trained: the run.
        form: a key of `FORMATS`.
        out: the folder that NAME/VERSION goes into; None: the run's own, export/FORMAT.
        version: the version's number; one that exists is replaced once the new one has passed.

    Returns:
        path, format, parity: what `zoo export --json` prints.

    Raises:
        ParityError: the export predicts something else than the model; parity.json tells, and
            nothing that could be served is left.
        Diverged: the run did.
        EnvironmentFault: TensorFlow, or what the format needs, is not installed.
    """
    require(form)
    if trained.info.get("status") == "diverged":
        raise Diverged(
            f"{trained.run}: its training diverged, so that nothing is exported: what it holds is "
            "a model from before. Lower the learning rate and train again."
        )
    if keras.backend.backend() != "tensorflow":
        return _by_tensorflow(trained, form, out, version)
    own = trained.run.export_folder(form)
    own.mkdir(parents=True, exist_ok=True)
    folder = out or own
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / trained.info["name"] / str(version)
    # Beside its place, so that it moves there in one step.
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as aside:
        made = Artefact(Path(aside) / str(version), form)
        try:
            parity = _made(trained, made, version, Path(aside))
            write_json(own / "parity.json", parity)
            if not parity["passed"]:
                raise ParityError(_refusal(parity, own))
        except ParityError:
            # An older export is of an older comparison; nothing that could be served stays.
            if out is None:
                shutil.rmtree(final.parent, ignore_errors=True)
            raise
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():  # The old one serves until the new one has passed.
            final.rename(Path(aside) / "old")
        made.folder.rename(final)
    return {"path": str(final), "format": form, "parity": parity}


def _made(trained: Trained, made: Artefact, version: int, work: Path) -> dict[str, Any]:
    made.folder.mkdir()
    form = FORMATS[made.form]
    form.write(trained, made.folder)
    made.extra.mkdir(exist_ok=True)
    if made.form == "saved_model":
        (image,) = load_data(trained.recipe).validation.images(np.array([0]))
        warmup.write(made.warmup_file, trained.info["name"], image)
    else:
        write_labels(made.labels_file, trained.class_names)
    parity = compare(trained, made, work)
    card.write(trained, made, version, parity)
    return parity


def _refusal(parity: dict[str, Any], folder: Path) -> str:
    if not parity["labels"]:
        return "the export names other classes than the run. Nothing was exported."
    return (
        f"the export predicts something else than the model: probabilities differ by "
        f"{parity['max_abs_diff']:.3g}, two calls by {parity['max_repeat_diff']:.3g}. "
        f"Expected at most {parity['tolerance']:g}. Nothing was exported; see "
        f"{folder}/parity.json."
    )


def require(form: str) -> None:
    """Refuses a format whose packages are not installed.

    Raises:
        EnvironmentFault: with the command that installs them.
    """
    missing = [name for name in FORMATS[form].needs if find_spec(name) is None]
    if missing:
        raise EnvironmentFault(
            f"--format {form} needs {', '.join(missing)}: "
            f'pip install "zoo-keras[{FORMATS[form].extra}]"'
        )


def _by_tensorflow(trained: Trained, form: str, out: Path | None, version: int) -> dict[str, Any]:
    """Exports in another process, since one process has one backend."""
    words: Sequence[str] = [str(trained.run), "--format", form, "--json"]
    command = [sys.executable, "-m", "zoo", "export", *words, "--model-version", str(version)]
    command += ["--out", str(out)] if out else []
    command += [word for change in trained.sets for word in ("--set", change)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise EnvironmentFault(f"the export through TensorFlow failed: {done.stderr}") from None
    if "error" in answer:
        kinds = {"parity": ParityError, "diverged": Diverged, "data": DataError}
        raise kinds.get(answer["error"]["kind"], EnvironmentFault)(answer["error"]["message"])
    return answer
