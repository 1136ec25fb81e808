"""`zoo export`, and what the verbs share that use a trained run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import backend
from zoo.artifact.layout import MODEL_FILES
from zoo.cli.output import Output
from zoo.errors import EnvironmentFault, ParityError, UsageError
from zoo.rundir import Run


def export(
    out: Output,
    run: str,
    formats: Sequence[str],
    overrides: Sequence[str],
    folder: Path | None,
    version: int | None,
) -> None:
    """`zoo export`: one format after the other; one that fails does not stop the others."""
    wanted = _formats(formats)
    if folder:
        require_writable(folder)
    opened = Run.open(run)
    opened.require_model()
    for format in wanted if folder is None else ():
        require_writable(opened.export_folder(format))
    # Export goes through TensorFlow whatever backend trained.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if not can_export():
        raise EnvironmentFault("exporting needs TensorFlow: pip install tensorflow")
    trained = trained_run(run, overrides)
    from zoo.export import export as write
    from zoo.export.export import require_packages

    for format in wanted:
        require_packages(format)
    made: list[dict[str, Any]] = []
    failed: list[ParityError] = []
    for format in wanted:
        if len(wanted) > 1:
            out.note(f"exporting {format}")
        try:
            # Formats of one run have one name; in one folder each would replace the one before.
            place = folder / format if folder and len(wanted) > 1 else folder
            made.append(write(trained, format, place, version))
        except ParityError as error:
            failed.append(error)
            continue
        out.text(exported(made[-1]))
    out.result({**(made[0] if len(wanted) == len(made) == 1 else {}), "exports": made})
    if failed:
        raise ParityError("; ".join(error.message for error in failed))


def _formats(given: Sequence[str]) -> list[str]:
    """The formats of `--format onnx --format litert` or `--format onnx,litert`."""
    words = [word.strip() for text in given for word in text.split(",")] or ["saved_model"]
    unknown = [word for word in words if word not in MODEL_FILES]
    if unknown:
        raise UsageError(
            f"--format {', '.join(unknown)}: unknown. Expected one of: {', '.join(MODEL_FILES)}."
        )
    return list(dict.fromkeys(words))


def can_export() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("tensorflow") is not None
    except (ImportError, ValueError):
        return False


def exported(made: dict[str, Any]) -> str:
    parity = made["parity"]
    return (
        f"export    {made['path']}: differs by {parity['max_abs_diff']:.1e} on "
        f"{parity['images']} images"
    )


def require_writable(folder: Path) -> None:
    """Says so before the data are read, not after."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise EnvironmentFault(f"{folder}: cannot be written to; choose another place with --out.")


def trained_run(path: str, overrides: Sequence[str] = ()) -> Any:
    """Opens a run before the framework is loaded, so that a wrong path answers at once."""
    run = Run.open(path)
    run.require_model()
    backend.prepare(deterministic=False)
    from zoo.artifact.trained_run import TrainedRun

    return TrainedRun(run, overrides)
