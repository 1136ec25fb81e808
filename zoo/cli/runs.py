"""The verbs that use a trained run or its export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, MovedOption, QuietOption, RunArgument
from zoo.cli.output import Output


@app.command()
def evaluate(
    run: RunArgument,
    overrides: MovedOption = None,
    split: Annotated[
        str, typer.Option("--split", help="test, or validation to leave the test alone.")
    ] = "test",
    tta: Annotated[
        str | None,
        typer.Option("--tta", help="Also with test-time augmentation: mirror or mirror_translate."),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy, per-class precision and recall, confusion matrix, calibration of a run."""
    with Output(as_json, debug, quiet) as out:
        from zoo.cli import train

        train.evaluate(out, run, split, overrides or (), tta)


@app.command()
def predict(
    model: Annotated[
        str, typer.Argument(metavar="RUN|EXPORT", help="A run folder, or an export of one.")
    ],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Image files, folders of them, or globs."),
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="Classes an image.")] = 3,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a row a file; - for standard output."),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Classes and probabilities of image files."""
    with Output(as_json, debug, quiet) as out:
        from zoo.cli import predict as predicting

        predicting.predict(out, model, images, top, csv)


@app.command()
def export(
    run: RunArgument,
    overrides: MovedOption = None,
    form: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="saved_model, keras, onnx or litert (repeatable, or onnx,litert); saved_model.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where NAME/VERSION goes, or FORMAT/NAME/VERSION of several."),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option("--model-version", min=1, help="VERSION; 1, or with --out the next one."),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Export a run's best model, read it again in a fresh process, and compare."""
    with Output(as_json, debug, quiet) as output:
        from zoo.cli import export as exporting

        exporting.export(output, run, form or (), overrides or (), out, version)


@app.command()
def serve(
    source: Annotated[
        str,
        typer.Argument(
            metavar="EXPORT", help="export/saved_model/NAME, a version folder in it, or a run."
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="The model's name; that of its folder.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; 0.0.0.0 lets the network in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes any free one.")
    ] = 8501,
    max_batch_size: Annotated[
        int, typer.Option("--max-batch-size", min=1, help="Rows that run together at most.")
    ] = 64,
    batch_timeout_micros: Annotated[
        int,
        typer.Option("--batch-timeout-micros", min=0, help="A request waits for others so long."),
    ] = 1000,
    max_queue: Annotated[
        int, typer.Option("--max-queue", min=1, help="Requests that may wait; more get 503.")
    ] = 256,
    max_body_mb: Annotated[
        float, typer.Option("--max-body-mb", min=0.001, help="Of a request; more gets 413.")
    ] = 32,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", min=0.001, help="Of an image; more gets 400.")
    ] = 50,
    poll_seconds: Annotated[
        float, typer.Option("--poll-seconds", min=0, help="Between looks for versions; 0: none.")
    ] = 1,
    all_versions: Annotated[
        bool, typer.Option("--all-versions", help="Serve all versions, not only the newest.")
    ] = False,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="A line on stderr for each request.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve an export over TensorFlow Serving's REST API, for development and tests."""
    with Output(as_json, debug, quiet) as out:
        from zoo.cli import serve as serving

        address, versions = (host, port), (poll_seconds, all_versions)
        batches = (max_batch_size, batch_timeout_micros, max_queue)
        bounds = (max_body_mb, max_megapixels)
        serving.serve(out, source, name, address, versions, batches, bounds, access_log)
