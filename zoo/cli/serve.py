"""`zoo serve`: a server for an export."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from zoo.cli import serve_options as options
from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, QuietOption
from zoo.cli.output import Output
from zoo.errors import EnvironmentFault, UsageError
from zoo.files.json_files import dumps

if TYPE_CHECKING:
    from zoo.serve.app import App

PACKAGES = ("uvicorn", "orjson", "prometheus_client", "httptools")


@app.command()
def serve(
    source: options.SourceArgument,
    name: options.NameOption = None,
    host: options.HostOption = "127.0.0.1",
    port: options.PortOption = 8501,
    allowed_host: options.AllowedHostOption = None,
    max_batch_size: options.BatchSizeOption = 64,
    batch_timeout_micros: options.BatchTimeoutOption = 1000,
    max_queue: options.QueueOption = 256,
    max_body_mb: options.BodyOption = 32,
    max_megapixels: options.PixelsOption = 50,
    max_connections: options.ConnectionsOption = 1000,
    max_per_client: options.PerClientOption = 250,
    header_timeout: options.HeaderTimeoutOption = 10,
    body_timeout: options.BodyTimeoutOption = 60,
    keep_alive_timeout: options.KeepAliveOption = 30,
    send_timeout: options.SendTimeoutOption = 60,
    poll_seconds: options.PollOption = 1,
    all_versions: options.AllVersionsOption = False,
    access_log: options.AccessLogOption = False,
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

        path = model_path.find(source, name, out.note)
        _prepare()
        from zoo.serve.limits import ConnectionLimits, RequestLimits
        from zoo.serve.queued_request import BatchLimits
        from zoo.serve.server import ServerSettings
        from zoo.serve.server import serve as run_server

        settings = ServerSettings(
            host,
            port,
            poll_seconds,
            all_versions,
            access_log,
            BatchLimits(max_batch_size, batch_timeout_micros / 1e6, max_queue),
            RequestLimits(int(max_body_mb * 1e6), int(max_megapixels * 1e6), body_timeout),
            ConnectionLimits(
                max_connections,
                min(max_per_client, max_connections),
                header_timeout,
                body_timeout,
                keep_alive_timeout,
                send_timeout,
            ),
            tuple(allowed_host or ()),
        )
        out.note(f"loading   {path.folder}")
        run_server(path, settings, lambda app, url: _print_ready(out, app, url), out.note)


def _prepare() -> None:
    """Require the packages of the extra `serve` and TensorFlow, and keep their logs quiet."""
    import logging

    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise EnvironmentFault(
            f"`zoo serve` needs {', '.join(missing)}, which {are} not installed: "
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

    from zoo.serve.example_request import example_command, example_signature

    newest = app.versions.get()
    name = app.versions.model_path.name
    if out.as_json:
        # Other verbs print their document at the end; whoever starts a server waits for this one.
        print(dumps({"url": url, "name": name, "version": newest.version}), flush=True)
        return
    loaded = ", ".join(map(str, sorted(app.versions.loaded)))
    out.text(f"serving   {name}, version {loaded}, at {url} (Ctrl-C stops it)")
    out.text(f"page      open {url}/ in a browser to try the model on images")
    for signature in newest.signatures.values():
        out.text(f"signature {signature}")
    signature = example_signature(newest.signatures)
    out.text(f"try       {example_command(f'{url}/v1/models/{quote(name)}', signature)}")
    sys.stdout.flush()
