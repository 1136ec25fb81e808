"""The state file of a run: everything an exact resume needs, in one file, written atomically.

Keras's own checkpoints are written in place and forget the seeds of dropout, the position in the
data and the state of callbacks. One `.npz` here holds every variable of model, optimizer and
metrics, and a JSON text with the global step and what the callbacks know. Two are kept, so that a
disk that loses the newest still leaves one.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import RunError
from zoo.rundir import atomic_write

KEPT = 2
FORMAT = 1


def variables(model: Any, more: Sequence[Any] = ()) -> list[Any]:
    """Model, optimizer and metric variables of a compiled model, random seeds included; then more.

    `more` are the variables of callbacks.
    """
    return [*model.variables, *model.optimizer.variables, *model.metrics_variables, *more]


def save(
    folder: Path, step: int, model: Any, notes: dict[str, Any], more: Sequence[Any] = ()
) -> Path:
    """Writes the state after `step` steps and removes all but the newest `KEPT`."""
    kept = variables(model, more)
    arrays = {f"v{i}": np.asarray(v.numpy()) for i, v in enumerate(kept)}
    names = [[v.path, list(v.shape), str(v.dtype)] for v in kept]
    text = json.dumps({"format": FORMAT, "step": step, "variables": names, **notes})
    path = folder / f"step-{step:09d}.npz"
    with atomic_write(path) as aside, aside.open("wb") as file:
        np.savez(file, notes=np.array(text), **_plain(arrays))  # type: ignore[arg-type]
    for old in _files(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def _plain(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Stores what numpy has no name for (bfloat16) by its bytes."""
    return {
        key: array.view(np.uint16) if array.dtype.name == "bfloat16" else array
        for key, array in arrays.items()
    }


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.npz"), reverse=True)


def newest(folder: Path) -> tuple[dict[str, Any], list[np.ndarray]] | None:
    """The newest state that can be read whole: its notes and arrays; None where there is none.

    Raises:
        RunError: there are state files, but none can be read.
    """
    files = _files(folder)
    for path in files:
        try:
            # numpy leaves a file open that it has opened itself and cannot read.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                notes = json.loads(str(stored["notes"]))
                arrays = [stored[f"v{i}"] for i in range(len(notes["variables"]))]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
            continue
        return notes, arrays
    if files:
        raise RunError(f"{folder}: no state file can be read; start again with `zoo train`.")
    return None


def restore(
    model: Any, notes: dict[str, Any], arrays: list[np.ndarray], more: Sequence[Any] = ()
) -> None:
    """Puts the stored values into model, optimizer, metrics and the variables of callbacks.

    Raises:
        RunError: they belong to another network.
    """
    targets = variables(model, more)
    stored = [tuple(shape) for _, shape, _ in notes["variables"]]
    if notes.get("format") != FORMAT or stored != [tuple(v.shape) for v in targets]:
        raise RunError(
            "the saved state does not fit the network of this run's recipe.yaml; was it edited, "
            "or written by another version? Start again with `zoo train`."
        )
    for variable, array in zip(targets, arrays, strict=True):
        wanted = np.asarray(variable.numpy()).dtype
        if array.dtype != wanted and array.dtype == np.uint16:
            array = array.view(wanted)
        variable.assign(array)
