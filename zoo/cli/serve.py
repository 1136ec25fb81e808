"""`zoo serve`: what is asked for is checked before a server or TensorFlow is imported."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zoo.cli.output import Output
from zoo.errors import EnvironmentFault, UsageError
from zoo.serve import model_path

if TYPE_CHECKING:
    from zoo.serve.app import App
    from zoo.serve.signature import Signature

EXTRA = ("uvicorn", "starlette", "orjson", "prometheus_client", "httptools")
FILE = "\0"  # Where a file's content goes: no name holds it.


def serve(
    out: Output,
    export: str,
    name: str | None,
    address: tuple[str, int],
    versions: tuple[float, bool],
    batches: tuple[int, int, int],
    bounds: tuple[float, float],
    access_log: bool,
) -> None:
    """`zoo serve`.

    Args:
        out: where results go.
        export: a model's folder, one version of it, or a run.
        name: another name for the model.
        address: host and port.
        versions: seconds between two looks for new ones, and whether all are served.
        batches: rows at most, microseconds to wait for others, requests that may wait.
        bounds: megabytes of a body and megapixels of an image.
        access_log: a line for each request.
    """
    if name is not None and (not name or set(name) & set("/:")):
        raise UsageError(f"--name {name!r}: not a name for a model. Expected no '/' and no ':'.")
    found = model_path.find(export, name)
    _require_extra()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.ERROR)
    from zoo.serve.app import RequestLimits
    from zoo.serve.batching import BatchLimits
    from zoo.serve.server import ServerSettings
    from zoo.serve.server import serve as run

    settings = ServerSettings(
        *address,
        *versions,
        access_log,
        BatchLimits(batches[0], batches[1] / 1e6, batches[2]),
        RequestLimits(int(bounds[0] * 1e6), int(bounds[1] * 1e6)),
    )
    out.note(f"loading   {found.folder}")
    run(found, settings, lambda app, url: _ready(out, app, url), lambda text: out.note(text))


def _require_extra() -> None:
    missing = [package for package in EXTRA if find_spec(package) is None]
    if missing:
        raise EnvironmentFault(
            f"`zoo serve` needs {', '.join(missing)}, which is not installed: "
            'pip install "zoo-keras[serve]"'
        )
    if find_spec("tensorflow") is None:
        raise EnvironmentFault(
            "`zoo serve` runs SavedModels with TensorFlow: pip install tensorflow"
        )


def _ready(out: Output, app: App, url: str) -> None:
    newest = app.versions.get()
    name = app.versions.model_path.name
    if out.as_json:
        # At once, and not at the end as other verbs: whoever started the server waits for it.
        print(json.dumps({"url": url, "name": name, "version": newest.version}), flush=True)
        return
    loaded = ", ".join(map(str, sorted(app.versions.loaded)))
    out.text(f"serving   {name}, version {loaded}, at {url} (Ctrl-C stops it)")
    for signature in newest.signatures.values():
        out.text(f"signature {signature}")
    signature = newest.signatures.get("serving_default") or next(iter(newest.signatures.values()))
    out.text(f"try       {example(f'{url}/v1/models/{quote(name)}', signature)}")
    sys.stdout.flush()


def example(url: str, signature: Signature) -> str:
    """A command that asks a model something: to be pasted as it stands, but for a file's name."""
    row = {name: _example(info.dtype, info.shape) for name, info in signature.inputs.items()}
    if None in row.values() or not signature.batches:
        return f"curl {shlex.quote(url)}/metadata"
    instance = next(iter(row.values())) if len(row) == 1 else row
    body: dict[str, Any] = {"instances": [instance]}
    if signature.name != "serving_default":
        body = {"signature_name": signature.name, **body}
    first, *rest = json.dumps(body).split(json.dumps(FILE)[1:-1])
    address = shlex.quote(f"{url}:predict")
    if not rest:
        return f"curl -d {shlex.quote(first)} {address}"
    # Through a pipe, since no command line is long enough for a photo.
    parts = "; base64 -w0 IMAGE.png; ".join(_printed(part) for part in (first, *rest))
    return f"({parts}) | curl -d @- {address}"


def _printed(text: str) -> str:
    return "printf " + shlex.quote(text.replace("\\", "\\\\").replace("%", "%%"))


def _example(dtype: str, shape: tuple[int, ...] | None, most: int = 20) -> Any:
    """A value for one row of an input; None where it would be too long to read."""
    inner = [1 if size == -1 else size for size in (shape or ())[1:]]
    count = 1
    for size in inner:
        count *= size
    if count > most:
        return None
    value: Any = {"b64": FILE} if dtype == "string" else False if dtype == "bool" else 0
    for size in reversed(inner):
        value = [value] * size
    return value
