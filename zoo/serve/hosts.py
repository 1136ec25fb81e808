"""Which names a client may call the server by, against DNS rebinding. Light.

A web page of evil.example may let that name lead to 127.0.0.1 and then read the server's answers,
since for the browser page and server are one site. The request's Host header still holds
evil.example, so a name that is not the server's is refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from zoo.errors import UsageError
from zoo.serve.status import StatusError, invalid

MAX_REMEMBERED = 256
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def split_host(value: str) -> str | None:
    """The lower-case name or address in `HOST[:PORT]`, without brackets; None if it is neither."""
    text = value.strip().lower()
    if text.startswith("["):
        inner, bracket, rest = text[1:].partition("]")
        name = inner if bracket and address_of(inner) is not None and ":" in inner else None
    else:
        name, colon, port = text.partition(":")
        rest = colon + port
        if address_of(name) is None and not _NAME.fullmatch(name):
            name = None
    if name is None or not re.fullmatch(r"(:[0-9]{0,5})?", rest, re.ASCII):
        return None
    return name if name.startswith(".") else name.rstrip(".") or None


def address_of(name: str) -> Address | None:
    """The IP address that a text is, without its zone; an IPv4 one if it is mapped into IPv6."""
    try:
        address = ipaddress.ip_address(name.replace("%25", "%").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class Hosts:
    """The names and addresses that requests may call the server by.

    Always the address or name that the server listens on, any loopback address, localhost and
    names below it, and the names of `--allowed-host`. A server that listens on all addresses
    (0.0.0.0, ::) answers to each IP address, since no page of the web can be loaded from one that
    its author does not control, and to this machine's name.

    Args:
        bound: the address or name that the server listens on.
        allowed: further names: NAME, or *.NAME for all below it, or * for all.

    Raises:
        UsageError: one of `allowed` is no name.
    """

    def __init__(self, bound: str, allowed: Iterable[str] = ()) -> None:
        self._bound = bound.lower().rstrip(".")
        address = address_of(self._bound)
        self._addresses = {address} if address else set()
        self._any_address = address is not None and address.is_unspecified
        self._names = {"localhost"} if address else {"localhost", self._bound}
        self._suffixes = [".localhost"]
        self._all = False
        if self._any_address:
            own = socket.gethostname().lower()
            self._names |= {own, own.partition(".")[0]}
        for name in allowed:
            self._allow(name)
        self._known: set[tuple[str, bytes]] = set()  # Accepted headers.

    def _allow(self, name: str) -> None:
        if name == "*":
            self._all = True
            return
        below = name.startswith(("*.", "."))
        host = split_host(name.removeprefix("*").removeprefix(".") if below else name)
        bare = address_of(name)  # An IPv6 address without brackets.
        if host is None and bare is None:
            raise UsageError(
                f"--allowed-host {name!r}: not a host. Expected a name such as "
                "models.example.org, *.NAME for all names below it, an IP address, or * for all."
            )
        address = bare or address_of(host or "")
        if address is not None:
            self._addresses.add(address)
        elif host is not None and below:
            self._suffixes.append(f".{host}")
        elif host is not None:
            self._names.add(host)

    def allows(self, value: str) -> bool:
        """Whether requests may hold this in their Host header: `HOST[:PORT]`."""
        if self._all:
            return True
        name = split_host(value)
        if name is None:
            return False
        address = address_of(name)
        if address is not None:
            return self._any_address or address.is_loopback or address in self._addresses
        return name in self._names or name.endswith(tuple(self._suffixes))

    def require(self, headers: Sequence[tuple[bytes, bytes]], http_version: str) -> str:
        """Refuses a request for another host, or from a page of another site.

        Args:
            headers: of the request, with lower-case names.
            http_version: HTTP/1.0 needs no Host; no browser speaks it.

        Returns:
            The Host header; empty if there is none.

        Raises:
            StatusError: the header is missing, given twice, or names another host.
        """
        values = [value for name, value in headers if name == b"host"]
        if not values and http_version == "1.0":
            host = b""
        elif len(values) != 1:
            number = f"{len(values)} Host headers" if values else "no Host header"
            raise invalid(f"{number}. Expected one, such as `Host: localhost`.")
        else:
            (host,) = values
            self._require_known(host, "Host", host.decode("latin-1"))
        for name, origin in headers:
            if name == b"origin":
                text = origin.decode("latin-1")
                self._require_known(origin, "Origin", _origin_host(text))
        return host.decode("latin-1")

    def _require_known(self, value: bytes, header: str, host: str) -> None:
        if (header, value) in self._known:
            return
        if not self.allows(host):
            raise self._refusal(header, value.decode("latin-1")[:100], split_host(host))
        if len(self._known) < MAX_REMEMBERED:
            self._known.add((header, value))

    def _refusal(self, header: str, received: str, name: str | None) -> StatusError:
        expected = "an IP address" if self._any_address else self._bound
        advice = f" If you trust it, restart with: zoo serve --allowed-host {name}" if name else ""
        return StatusError(
            "PERMISSION_DENIED",
            f"{header} header: not this server. Expected {expected}, localhost, or a name given "
            f"with --allowed-host. Received {ascii(received)}.{advice}",
        )


def _origin_host(origin: str) -> str:
    """The host of an Origin header; empty if it has none, such as `null`."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
