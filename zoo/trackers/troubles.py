"""What went wrong with a tracker, in a sentence; what its package raises is long. Light."""

from __future__ import annotations

import re

from zoo.errors import ZooError
from zoo.text.printable import one_line
from zoo.text.shortened import shortened

MAX_SAID = 300  # Characters of what a package says.
_USER = re.compile(r"(\w+://)([^\s'\"<>]+)")
_PASSWORD_KEY = re.compile(
    r"([?&;](?:[a-z_]*(?:password|passwd|pwd|token|secret)|api_?key|key)=)[^&;\s'\"]*",
    re.IGNORECASE,
)
_CAUSES = {
    "the server refuses the connection": ("Connection refused", "Errno 111"),
    "the server's name is unknown": ("Name or service not known", "NameResolutionError",
                                     "Temporary failure in name resolution", "getaddrinfo"),
    "the server does not answer in time": (
        "timed out", "respond in time", "Timeout", "timeout", "deadline",
    ),
    "the connection to the server broke": (
        "Connection aborted", "RemoteDisconnected", "Connection reset", "Connection broken",
    ),
    "the proxy cannot be used": ("ProxyError", "Unable to connect to proxy"),
    "the server's certificate is not trusted": ("CERTIFICATE_VERIFY_FAILED", "SSLError"),
    "the server refuses the credentials": (
        "error code 401", "error code 403", "Unauthorized", "PERMISSION_DENIED", "401 ", "403 ",
        "UNAUTHENTICATED", "invalid API key",
    ),
    "the disk is full": ("No space left on device",),
    "the server answers with an error of its own": (
        "500 error responses", "502 error responses", "503 error responses",
        "504 error responses", "error code 5",
    ),
    "the server sends its clients in a circle": ("Exceeded 30 redirects",),
    "what answers there is something else": ("error code 404 != 200", "not in a valid JSON format"),
}  # fmt: skip


def without_password(uri: str) -> str:
    """A URI, or a text that holds some, without user and password, to be shown and stored.

    Passwords in a query (`?password=...`) are left out, too.
    """
    return _PASSWORD_KEY.sub(r"\1***", _USER.sub(_host_alone, uri))


def _host_alone(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:  # The last one: a password may hold others.
        return scheme + authority.rpartition("@")[2] + rest[len(authority) :]
    port = authority.rpartition(":")[2]
    if ":" in authority and "@" in rest and not port.isdigit() and "[" not in authority:
        return scheme + rest.rpartition("@")[2]  # It holds a slash that should have been %2F.
    return found[0]


def cause(error: BaseException) -> str | None:
    """What happened, in words; None where this module does not know it."""
    text = f"{type(error).__name__}: {error}"
    for words, parts in _CAUSES.items():
        if any(part in text for part in parts):
            return words
    return None


def said(error: BaseException) -> str:
    """What happened: in our words if they are known, else in the package's, in a line."""
    if isinstance(error, ZooError):
        return error.message
    text = without_password(one_line(f"{type(error).__name__}: {error}"))
    return cause(error) or shortened(text, MAX_SAID).rstrip(".")
