"""`zoo serve`: a server for an export."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, QuietOption
from zoo.cli.output import Output
from zoo.errors import EnvironmentFault, UsageError
from zoo.json_files import dumps

if TYPE_CHECKING:
    from zoo.serve.app import App
    from zoo.serve.signature import Signature

PACKAGES = ("uvicorn", "starlette", "orjson", "prometheus_client", "httptools")
FILE = "\0"  # Stands for a file's content in an example request; no name holds it.
MAX_EXAMPLE_VALUES = 20


@app.command()
def serve(
    source: Annotated[
        str,
        typer.Argument(
            metavar="EXPORT", help="export/saved_model/NAME, a version folder in it, or a run."
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", help="The model's name (default: the name of its folder)."),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", help="The address to listen on; 0.0.0.0 admits other machines."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0: any free one.")
    ] = 8501,
    max_batch_size: Annotated[
        int, typer.Option("--max-batch-size", min=1, help="Maximum number of rows per batch.")
    ] = 64,
    batch_timeout_micros: Annotated[
        int,
        typer.Option(
            "--batch-timeout-micros",
            min=0,
            help="Maximum time to wait for a batch to fill, in microseconds.",
        ),
    ] = 1000,
    max_queue: Annotated[
        int,
        typer.Option(
            "--max-queue",
            min=1,
            help="Maximum number of queued requests; further ones get HTTP 503.",
        ),
    ] = 256,
    max_body_mb: Annotated[
        float,
        typer.Option(
            "--max-body-mb",
            min=0.001,
            help="Maximum size of a request in megabytes; larger ones get HTTP 413.",
        ),
    ] = 32,
    max_megapixels: Annotated[
        float,
        typer.Option(
            "--max-megapixels",
            min=0.001,
            help="Maximum image size in megapixels; larger images get HTTP 400.",
        ),
    ] = 50,
    poll_seconds: Annotated[
        float,
        typer.Option(
            "--poll-seconds", min=0, help="Seconds between searches for new versions; 0: never."
        ),
    ] = 1,
    all_versions: Annotated[
        bool, typer.Option("--all-versions", help="Serve all versions, not only the newest.")
    ] = False,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Print a line on stderr for each request.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve an export over TensorFlow Serving's REST API, for development and tests."""
    with Output(as_json, debug, quiet) as out:
        if name is not None and (not name or set(name) & set("/:")):
            raise UsageError(
                f"--name {name!r}: not a name for a model. Expected no '/' and no ':'."
            )
        from zoo.serve import model_path

        path = model_path.find(source, name)
        _prepare()
        from zoo.serve.app import RequestLimits
        from zoo.serve.batching import BatchLimits
        from zoo.serve.server import ServerSettings
        from zoo.serve.server import serve as run_server

        settings = ServerSettings(
            host,
            port,
            poll_seconds,
            all_versions,
            access_log,
            BatchLimits(max_batch_size, batch_timeout_micros / 1e6, max_queue),
            RequestLimits(int(max_body_mb * 1e6), int(max_megapixels * 1e6)),
        )
        out.note(f"loading   {path.folder}")
        run_server(path, settings, lambda app, url: _print_ready(out, app, url), out.note)


def _prepare() -> None:
    """Require the packages of the extra `serve` and TensorFlow, and keep their logs quiet."""
    import logging

    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise EnvironmentFault(
            f"`zoo serve` needs {', '.join(missing)}, which is not installed: "
            'pip install "zoo-keras[serve]"'
        )
    if find_spec("tensorflow") is None:
        raise EnvironmentFault(
            "`zoo serve` runs SavedModels with TensorFlow: pip install tensorflow"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.ERROR)


def _print_ready(out: Output, app: App, url: str) -> None:
    """Print where the server listens, what it takes, and a request to try."""
    from urllib.parse import quote

    newest = app.versions.get()
    name = app.versions.model_path.name
    if out.as_json:
        # Other verbs print their document at the end; whoever starts a server waits for this one.
        print(dumps({"url": url, "name": name, "version": newest.version}), flush=True)
        return
    loaded = ", ".join(map(str, sorted(app.versions.loaded)))
    out.text(f"serving   {name}, version {loaded}, at {url} (Ctrl-C stops it)")
    for signature in newest.signatures.values():
        out.text(f"signature {signature}")
    signature = newest.signatures.get("serving_default") or next(iter(newest.signatures.values()))
    out.text(f"try       {example_command(f'{url}/v1/models/{quote(name)}', signature)}")
    sys.stdout.flush()


def example_command(url: str, signature: Signature) -> str:
    """Return a shell command that sends the model a request.

    It runs as it stands, but for the name of the image file in it. For inputs too long to read it
    asks for the model's metadata instead.
    """
    import shlex

    row = {name: _example(info.dtype, info.shape) for name, info in signature.inputs.items()}
    if None in row.values() or not signature.batches:
        return f"curl {shlex.quote(url)}/metadata"
    instance = next(iter(row.values())) if len(row) == 1 else row
    body: dict[str, Any] = {"instances": [instance]}
    if signature.name != "serving_default":
        body = {"signature_name": signature.name, **body}
    parts = json.dumps(body).split(json.dumps(FILE)[1:-1])
    address = shlex.quote(f"{url}:predict")
    if len(parts) == 1:
        return f"curl -d {shlex.quote(parts[0])} {address}"

    def printf(text: str) -> str:
        return "printf " + shlex.quote(text.replace("\\", "\\\\").replace("%", "%%"))

    # Through a pipe, since no command line is long enough for a photo.
    return f"({'; base64 -w0 IMAGE.png; '.join(map(printf, parts))}) | curl -d @- {address}"


def _example(dtype: str, shape: tuple[int, ...] | None) -> Any:
    """Return a value for one row of an input; None where it would be too long to read."""
    import math

    inner = [1 if size == -1 else size for size in (shape or ())[1:]]
    if math.prod(inner) > MAX_EXAMPLE_VALUES:
        return None
    value: Any = {"b64": FILE} if dtype == "string" else False if dtype == "bool" else 0
    for size in reversed(inner):
        value = [value] * size
    return value
