"""`zoo export`: a trained run's best model in other formats."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from zoo.artifact.variant import variants
from zoo.cli.app import app
from zoo.cli.options import (
    AllowPluginsOption,
    DataSourceOption,
    DebugOption,
    JsonOption,
    QuietOption,
    RunArgument,
)
from zoo.cli.output import Output
from zoo.verbs import exporting
from zoo.verbs.opening import open_trained_run


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
    quantize: Annotated[
        list[str] | None,
        typer.Option(
            "--quantize",
            help="Make litert smaller: float16 or int8 (repeatable; default: none).",
        ),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option("--opset", help="Version of ONNX's operators (default: 17)."),
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
    allow_plugins: AllowPluginsOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Export a run's best model, reload it in a fresh process, and compare predictions."""
    with Output(as_json, debug, quiet) as output:
        chosen = variants(format_ or (), quantize or (), opset)
        opened = exporting.require_places(output, run, chosen, out)
        # TensorFlow writes the exports, whatever backend trained the run.
        os.environ["KERAS_BACKEND"] = "tensorflow"
        exporting.require_tensorflow()
        trained = open_trained_run(str(opened), overrides or ())
        exporting.export(output, trained, chosen, out, version)
