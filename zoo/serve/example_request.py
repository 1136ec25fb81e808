"""A request to try on a model, as a shell command."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from typing import Any

from zoo.serve.signature import DEFAULT, Signature

FILE = "\0"  # Stands for a file's content in an example request; no name holds it.
MAX_EXAMPLE_VALUES = 20
END = "; echo"  # Ends the answer's line, so that the shell's prompt begins another.


def example_signature(
    signatures: Mapping[str, Signature], preferred: Signature | None = None
) -> Signature:
    """The signature to show: the preferred one if it takes files, else the default one."""
    if preferred and any(info.dtype == "string" for info in preferred.inputs.values()):
        return preferred
    return signatures.get(DEFAULT) or preferred or next(iter(signatures.values()))


def example_command(url: str, signature: Signature) -> str:
    """A shell command that sends the model a request.

    It runs as it stands, but for the name of the image file in it. For inputs too long to read it
    asks for the model's metadata instead.

    Args:
        url: of the model, without `:predict`.
        signature: to send the request to.
    """
    row = {name: _example(info.dtype, info.shape) for name, info in signature.inputs.items()}
    if None in row.values() or not signature.batches:
        return f"curl {shlex.quote(url)}/metadata{END}"
    instance = next(iter(row.values())) if len(row) == 1 else row
    body: dict[str, Any] = {"instances": [instance]}
    if signature.name != DEFAULT:
        body = {"signature_name": signature.name, **body}
    parts = json.dumps(body).split(json.dumps(FILE)[1:-1])
    address = shlex.quote(f"{url}:predict")
    if len(parts) == 1:
        return f"curl -d {shlex.quote(parts[0])} {address}{END}"

    def printf(text: str) -> str:
        return "printf " + shlex.quote(text.replace("\\", "\\\\").replace("%", "%%"))

    # Through a pipe, since no command line is long enough for a photo.
    return f"({'; base64 -w0 IMAGE.png; '.join(map(printf, parts))}) | curl -d @- {address}{END}"


def _example(dtype: str, shape: tuple[int, ...] | None) -> Any:
    """A value for one row of an input; None where it would be too long to read."""
    inner = [1 if size == -1 else size for size in (shape or ())[1:]]
    if math.prod(inner) > MAX_EXAMPLE_VALUES:
        return None
    value: Any = {"b64": FILE} if dtype == "string" else False if dtype == "bool" else 0
    for size in reversed(inner):
        value = [value] * size
    return value
