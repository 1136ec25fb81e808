"""Names that clients may call the server by."""

from __future__ import annotations

import socket

import pytest

from tests.serve.conftest import Client
from zoo.errors import UsageError
from zoo.serve.hosts import Hosts
from zoo.serve.status import StatusError

LOCAL = ("127.0.0.1", "127.0.0.1:8501", "localhost", "LocalHost:80", "localhost.", "a.localhost",
         "[::1]", "[::1]:8501", "127.9.9.9", "[::ffff:127.0.0.1]")  # fmt: skip
FOREIGN = (
    "evil.example", "evil.example:8501", "127.0.0.1.evil.example", "localhost.evil.example", "",
    "localhost:port", "[::1", "::1", "[localhost]", "a b", "user@localhost", "localhost,x",
    "2130706433", "127.1", "0x7f.1", "localhost:123456", "*", ".localhost", "ex\xe4mple",
)  # fmt: skip


@pytest.mark.parametrize("bound", ["127.0.0.1", "::1", "localhost"])
def test_the_loopback_address(bound: str) -> None:
    hosts = Hosts(bound)
    assert [host for host in LOCAL if not hosts.allows(host)] == []
    assert [host for host in (*FOREIGN, "10.0.0.1", "0.0.0.0") if hosts.allows(host)] == []


@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])
def test_all_addresses(bound: str) -> None:
    """No page of the web comes from an IP address of this network, so each is allowed."""
    hosts = Hosts(bound)
    own = socket.gethostname()
    for host in (*LOCAL, "10.0.0.1:8501", "[2001:db8::1]", f"{own}:8501", own.upper()):
        assert hosts.allows(host), host
    assert [host for host in FOREIGN if hosts.allows(host)] == []


def test_one_address_and_one_name() -> None:
    assert Hosts("192.168.1.5").allows("192.168.1.5:8501")
    assert not Hosts("192.168.1.5").allows("192.168.1.6")
    assert Hosts("Models.Example.org").allows("models.example.org:8501")
    assert not Hosts("models.example.org").allows("example.org")


@pytest.mark.parametrize(
    "allowed, host",
    [("models.example.org", "MODELS.example.org:443"), ("*.example.org", "a.b.example.org"),
     (".example.org", "a.example.org"), ("10.0.0.7", "10.0.0.7"), ("fe80::1", "[fe80::1%25eth0]"),
     ("[fe80::1]", "[fe80::1]:80"), ("proxy:8080", "proxy"), ("*", "anything at all")],
)  # fmt: skip
def test_allowed_hosts(allowed: str, host: str) -> None:
    assert Hosts("127.0.0.1", [allowed]).allows(host)
    assert not Hosts("127.0.0.1").allows(host)
    assert Hosts("127.0.0.1", [allowed]).allows("localhost")


def test_a_suffix_is_no_part_of_a_word() -> None:
    hosts = Hosts("127.0.0.1", ["*.example.org"])
    assert not hosts.allows("evilexample.org")
    assert not hosts.allows("example.org")


@pytest.mark.parametrize("allowed", ["", "a b", "http://x", "x/y", "**", "[x]", "*.", "x:y"])
def test_what_is_no_host(allowed: str) -> None:
    with pytest.raises(UsageError, match="--allowed-host"):
        Hosts("127.0.0.1", [allowed])


def test_headers() -> None:
    hosts = Hosts("127.0.0.1")
    local = (b"host", b"localhost")
    assert hosts.require([local], "1.1") == "localhost"
    assert hosts.require([], "1.0") == ""  # Health checks of load balancers.
    for headers in ([], [local, local]):
        with pytest.raises(StatusError, match="Host header") as error:
            hosts.require(headers, "1.1")
        assert error.value.http == 400
    for origin in (b"null", b"https://evil.example", b"x", b"http://[", b"http://localhost@evil.x"):
        with pytest.raises(StatusError, match="Origin header: not this server") as error:
            hosts.require([local, (b"origin", origin)], "1.1")
        assert error.value.http == 403
    for origin in (b"http://localhost:8501", b"http://127.0.0.1", b"http://[::1]:80"):
        hosts.require([local, (b"origin", origin)], "1.1")
    with pytest.raises(StatusError):  # Known as an Origin is not known as a Host.
        hosts.require([(b"host", b"http://localhost:8501")], "1.1")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/healthz", "/metrics", "/openapi.json", "/x"])
def test_other_hosts_are_refused_everywhere(pictures: Client, path: str) -> None:
    answer = pictures.ask("GET", path, Host="evil.example:8501")
    assert answer.code == 403
    assert "Received 'evil.example:8501'" in answer.error
    assert "zoo serve --allowed-host evil.example" in answer.error
    assert pictures.ask("GET", path, Origin="http://evil.example").code == 403
    assert "access-control-allow-origin" not in pictures.get(path).headers
