from __future__ import annotations

import pytest

from zoo.errors import EnvironmentFault
from zoo.trackers.troubles import said, without_password


@pytest.mark.parametrize(
    "error, expected",
    [
        (ConnectionError("[Errno 111] Connection refused"), "the server refuses the connection"),
        (TimeoutError("Read timed out. (read timeout=20)"), "the server does not answer in time"),
        (OSError(28, "No space left on device"), "the disk is full"),
        (RuntimeError("failed with error code 401 != 200"), "the server refuses the credentials"),
        (
            RuntimeError("too many 503 error responses"),
            "the server answers with an error of its own",
        ),
        (RuntimeError("error code 404 != 200"), "what answers there is something else"),
        (EnvironmentFault("As it is."), "As it is."),
        (KeyError("odd\nthing."), "KeyError: 'odd\\nthing.'"),
    ],
)
def test_what_is_said_of_an_error(error: Exception, expected: str) -> None:
    assert said(error) == expected


def test_no_password_is_shown() -> None:
    uri = "https://ann:secret@host:80/x"
    assert without_password(uri) == "https://host:80/x"
    assert "secret" not in said(ValueError(f"cannot use {uri} today"))


@pytest.mark.parametrize(
    "uri, shown",
    [
        ("sqlite:////tmp/a@b.db", None),
        ("http://host:5000/a@b", None),
        ("http://[::1]:5000/a@b", None),
        ("http://ann:p@ss@host/x", "http://host/x"),
        ("http://ann:p/ss@host/x", "http://host/x"),
        ("http://ann:secret@[::1]:80", "http://[::1]:80"),
        ("http://token@host", "http://host"),
        ("mysql+pymysql://ann:p@host/db?ssl=1&password=p", "mysql+pymysql://host/db?ssl=1&password=***"),
        ("postgresql://host/db?sslpassword=p&user=ann", "postgresql://host/db?sslpassword=***&user=ann"),
        ("(http://ann:p@host/a), http://bob:p@host2/b", "(http://host/a), http://host2/b"),
    ],
)  # fmt: skip
def test_passwords_anywhere_in_an_address(uri: str, shown: str | None) -> None:
    assert without_password(uri) == (shown or uri)
