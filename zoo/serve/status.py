"""The REST API's errors: gRPC's codes, the HTTP codes that stand for them, and what is told."""

from __future__ import annotations

import re

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
LONGEST = 600

# What a runtime error says about its graph, and a client has no use for.
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
_PATH = re.compile(r"(?<![\w:/])/(?:[\w.@+-]+/)+[\w.@+-]*")

# What is said of a request where TensorFlow's words say little to whoever sent it.
_BROKEN = "the image cannot be decoded: it is broken or cut short"
_SAID = (
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
    """A request that is refused, or failed.

    Args:
        code: gRPC's name of the kind of error, a key of `HTTP`.
        message: what the client reads.
        http: another HTTP code than the table's, for what gRPC has no code for.
    """

    def __init__(self, code: str, message: str, http: int | None = None) -> None:
        self.code = code
        self.message = message
        self.http = HTTP[code] if http is None else http
        super().__init__(f"{code}: {message}")


def invalid(message: str) -> StatusError:
    """The request is wrong as it stands."""
    return StatusError("INVALID_ARGUMENT", message)


def cleaned(message: str) -> str:
    """A runtime's message without names of nodes, places in files and stack traces."""
    lines = []
    for line in message.splitlines():
        line = _GRAPH.sub("", re.sub(r"^\s*\(\d+\) [A-Z_]+: ?", "", line)).strip()
        if line and not _NOISE.match(line) and line not in lines:
            lines.append(line)
    text = " ".join(_PATH.sub("...", re.sub(r"\s+", " ", " ".join(lines))).split())
    return text[:LONGEST] or "the model refused the request"


def reason(message: str) -> str:
    """Why a model refused a request, of a runtime's message."""
    text = cleaned(message)
    if found := _ASSERTION.fullmatch(text):
        return _asserted([part.strip() for part in re.findall(r"\[([^\[\]]*)\]", found[1])])
    for pattern, said in _SAID:
        if re.match(pattern, text):
            return f"{said} (TensorFlow: {text.removesuffix('.')})."
    return text


def _asserted(parts: list[str]) -> str:
    """The words of an assertion in a graph, and the numbers behind them."""
    words, *values = parts
    if not values:
        return words
    if any(re.search(r"[=:]$", part) for part in parts):  # TensorFlow's own: [x = ] [1].
        return " ".join(parts)
    return f"{words}: {', '.join(values)}."
