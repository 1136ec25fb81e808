"""Limits of what clients may send, hold open and leave unread. Light."""

from __future__ import annotations

from dataclasses import dataclass

RESERVED_FILES = 96  # Files open beside connections: the model's, logs, libraries, the listener.
BACKLOG = 256  # Connections that the system holds until they are accepted; all may come at once.


@dataclass(frozen=True)
class RequestLimits:
    """Limits of requests.

    Attributes:
        body_bytes: of one request.
        image_pixels: of one encoded image.
        body_seconds: from a request's headers to the end of its body.
    """

    body_bytes: int = 32_000_000
    image_pixels: int = 50_000_000
    body_seconds: float = 60.0

    @property
    def total_bytes(self) -> int:
        """Bytes of all bodies in memory together."""
        return 8 * self.body_bytes

    @property
    def request_pixels(self) -> int:
        """Pixels of all encoded images of one request."""
        return 16 * self.image_pixels

    @property
    def parsed_bytes(self) -> int:
        """Bytes that one body's JSON may take once parsed: each empty list of 3 bytes takes 64."""
        return 25 * self.body_bytes


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of connections. Above a maximum number the one that waited longest is closed.

    Attributes:
        total: maximum number of connections.
        per_client: maximum number of connections of one client address.
        header_seconds: from a request's first byte, or from the start of the connection, to the
            end of its headers.
        body_seconds: from there to the end of the body; the application answers before that.
        keep_alive_seconds: from an answer to the next request.
        send_seconds: for the client to read an answer.
        unsent_bytes: of all answers together that clients have not read yet.
    """

    total: int = 1000
    per_client: int = 250
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    keep_alive_seconds: float = 30.0
    send_seconds: float = 60.0
    unsent_bytes: int = 256_000_000


def raise_file_limit(connections: int) -> int:
    """Raises this process's limit of open files for a number of connections, as far as it may.

    Returns:
        The number of connections for which the limit suffices, at most `connections`; at least 1.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit.
        return connections
    needed = connections + RESERVED_FILES + BACKLOG
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    allowed = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    if allowed > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        except (OSError, ValueError):  # macOS has a lower limit of its own.
            allowed = soft
    return max(1, min(connections, allowed - RESERVED_FILES - BACKLOG))
