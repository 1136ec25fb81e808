"""Errors of the REST API: gRPC codes, their HTTP codes, and readable messages."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable

HTTP = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
MAX_MESSAGE = 600

# Parts of a runtime error that describe the graph: of no use to a client.
_GRAPH = re.compile(
    r"\{\{[^{}]*\}\}"  # {{node map/while/DecodePng}}
    r"|\[\[[^\[\]]*\]\]"  # [[StatefulPartitionedCall/map]]
    r"|\[Op:[^\[\]]*\]"  # [Op:__inference_signature_wrapper_42]
    r"|\[type\.googleapis\.com/[^\]]*\]"  # Payloads of the error.
)
_NOISE = re.compile(
    r"^\s*("
    r"Graph execution error:|<stack traces unavailable>|The Stack trace of .*"
    r"|Detected at node .*|Node: .*|File \".*"
    r"|\d+ (successful operations|derived errors ignored)\.|\d+ root error\(s\) found\."
    r"|\(\d+\) [A-Z_]+: *$"
    r")$"
)
_PATH = re.compile(
    r"(?<![\w:/])/(?:[\w.@+~%-]+/)+[\w.@+~%-]*"  # /srv/models/pets
    r"|(?<![\w/])(?:[A-Za-z]:|\\)\\[^\s'\"<>|]+"  # C:\models\pets
    r"|\bfile:/+\S+"
    r"|(?<![\w/.])(?:[\w.@+-]+/)*[\w-]+\.(?:py|pyc|so|cc|h)\b(?::\d+)?"  # ops/script_ops.py:242
)
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{5,}")
# What a model's own Python code leaves in a runtime's message.
_PROGRAM = re.compile(r"Traceback \(most recent call last\)")
_NO_CODE = re.compile(r"callback (with key=)?pyfunc_\d+")

# Explanations for clients of TensorFlow's messages, by pattern.
_BROKEN = "the image cannot be decoded: it is broken or cut short"
_EXPLANATIONS = (
    (r"Input is empty\.", "the image is empty: it has no bytes"),
    (r"Unknown image file format\.", "the bytes are not an image of a known format"),
    (r"Trying to decode \w+ format using a wrong op\.", "the image is not of the model's format"),
    (r"jpeg::Uncompress failed\.", _BROKEN),
    (r"Invalid (JPEG|PNG|GIF)\b", _BROKEN),
    (r"Failed to decode WebP\b", _BROKEN),
    (r"Incomplete bmp content\b", _BROKEN),
    (r"Input size should match \(header_size \+ row_size", _BROKEN),
)
_ASSERTION = re.compile(r"assertion failed: ((?: ?\[[^\[\]]*\])+)")


class StatusError(Exception):
    """A request was refused, or failed.

    Args:
        code: gRPC's name of the error, a key of `HTTP`.
        message: for the client.
        http: an HTTP code other than that of `code`, for errors that gRPC has no code for.
    """

    def __init__(self, code: str, message: str, http: int | None = None) -> None:
        self.code = code
        self.message = message
        self.http = HTTP[code] if http is None else http
        super().__init__(f"{code}: {message}")

    def with_advice(self, advice: str) -> StatusError:
        """The same error, with advice after its message."""
        end = "" if self.message.rstrip().endswith((".", "!", "?")) else "."
        return StatusError(self.code, f"{self.message.rstrip()}{end} {advice}", self.http)


def invalid(message: str) -> StatusError:
    """An error for a request that is wrong in itself."""
    return StatusError("INVALID_ARGUMENT", message)


def incident(log: logging.Logger, message: str, *arguments: object) -> str:
    """Logs the exception being handled, with its traceback, under an id for the client.

    Args:
        log: the logger.
        message: what failed, with %s for the arguments.
        arguments: of the message; their control characters are escaped.

    Returns:
        A sentence with the id.
    """
    number = secrets.token_hex(4)
    log.exception(f"error %s: {message}", number, *(ascii(str(one))[1:-1] for one in arguments))
    return f"See error {number} in the server's log."


def code_refusal(message: str, see: Callable[[], str]) -> StatusError | None:
    """The error for a message with a traceback of the model's own Python code; else None.

    Args:
        message: of the runtime.
        see: logs the message and returns a sentence with its id.
    """
    if _NO_CODE.search(message):
        reason = "The model calls Python code that its export does not hold"
        return StatusError("INTERNAL", f"{reason}. {see()}")
    if _PROGRAM.search(message):
        return invalid(f"The model refused the request. {see()}")
    return None


def clean_message(message: str) -> str:
    """Removes names of nodes, paths of files and stack traces from a runtime's message."""
    lines = []
    for line in message.splitlines():
        line = _GRAPH.sub("", re.sub(r"^\s*\(\d+\) [A-Z_]+: ?", "", line)).strip()
        if line and not _NOISE.match(line) and line not in lines:
            lines.append(line)
    text = _ADDRESS.sub("...", _PATH.sub("...", re.sub(r"\s+", " ", " ".join(lines))))
    text = " ".join(text.split())
    return text[:MAX_MESSAGE] or "the model refused the request"


def refusal_reason(message: str) -> str:
    """Explains to a client why a model refused a request, from a runtime's message."""
    text = clean_message(message)
    if assertion := _ASSERTION.fullmatch(text):
        return _join_assertion(
            [part.strip() for part in re.findall(r"\[([^\[\]]*)\]", assertion[1])]
        )
    for pattern, explanation in _EXPLANATIONS:
        if re.match(pattern, text):
            return f"{explanation} (TensorFlow: {text.removesuffix('.')})."
    return text


def _join_assertion(parts: list[str]) -> str:
    """One sentence from the parts of a graph's assertion: its message, then values."""
    message, *values = parts
    if not values:
        return message
    if any(re.search(r"[=:]$", part) for part in parts):  # TensorFlow's own: [x = ] [1].
        return " ".join(parts)
    return f"{message}: {', '.join(values)}."
