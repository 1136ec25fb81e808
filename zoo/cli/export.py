"""`zoo export`: a trained run's best model in other formats."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    DataSourceOption,
    DebugOption,
    JsonOption,
    QuietOption,
    RunArgument,
    open_trained_run,
)
from zoo.cli.output import Output
from zoo.errors import EnvironmentFault, ParityError, UsageError

if TYPE_CHECKING:
    from zoo.artifact.trained_run import TrainedRun


@app.command()
def export(
    run: RunArgument,
    overrides: DataSourceOption = None,
    format_: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="saved_model, keras, onnx or litert (repeatable; default: saved_model).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Parent folder of NAME/VERSION (of FORMAT/NAME/VERSION for several formats).",
        ),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(
            "--model-version",
            min=1,
            help="Version number (default: 1; with --out, the next free one).",
        ),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Export a run's best model, reload it in a fresh process, and compare predictions."""
    with Output(as_json, debug, quiet) as output:
        formats = _formats(format_ or ())
        _require_places(run, formats, out)
        # TensorFlow writes the exports, whatever backend trained the run.
        os.environ["KERAS_BACKEND"] = "tensorflow"
        if not tensorflow_installed():
            raise EnvironmentFault("exporting needs TensorFlow: pip install tensorflow")
        trained = open_trained_run(run, overrides or ())
        _export(output, trained, formats, out, version)


def _formats(values: Sequence[str]) -> list[str]:
    """Return the formats of `--format onnx --format litert` or `--format onnx,litert`."""
    from zoo.artifact.layout import MODEL_FILES

    formats = [word.strip() for value in values for word in value.split(",")] or ["saved_model"]
    unknown = [word for word in formats if word not in MODEL_FILES]
    if unknown:
        raise UsageError(
            f"--format {', '.join(unknown)}: unknown. Expected one of: {', '.join(MODEL_FILES)}."
        )
    return list(dict.fromkeys(formats))


def _require_places(path: str, formats: Sequence[str], folder: Path | None) -> None:
    """Refuse a run without a model, and folders that cannot be written, before anything is read."""
    from zoo.rundir import Run, require_writable

    if folder:
        require_writable(folder)
    run = Run.open(path)
    run.require_model()
    if folder is None:
        for name in formats:
            require_writable(run.export_folder(name))


def _export(
    out: Output,
    trained: TrainedRun,
    formats: Sequence[str],
    folder: Path | None,
    version: int | None,
) -> None:
    """Export each format; a failure does not stop the others."""
    from zoo.export import export as write
    from zoo.export.export import require_packages

    for name in formats:
        require_packages(name)
    results: list[dict[str, Any]] = []
    failures: list[str] = []
    several = len(formats) > 1
    for name in formats:
        if several:
            out.note(f"exporting {name}")
        try:
            # All formats use the path NAME/VERSION, so each needs a parent folder of its own.
            results.append(
                write(trained, name, folder / name if folder and several else folder, version)
            )
        except ParityError as error:
            failures.append(error.message)
            continue
        print_export(out, results[-1])
    only = results[0] if len(formats) == len(results) == 1 else {}
    out.result({**only, "exports": results})
    if failures:
        raise ParityError("; ".join(failures))


def tensorflow_installed() -> bool:
    """Whether TensorFlow can be found, without importing it."""
    try:
        return find_spec("tensorflow") is not None
    except (ImportError, ValueError):
        return False


def print_export(out: Output, result: dict[str, Any]) -> None:
    """Print where an export is and how far its predictions differ from the model's."""
    parity = result["parity"]
    out.text(
        f"export    {result['path']}: differs by {parity['max_abs_diff']:.1e} on "
        f"{parity['images']} images"
    )
