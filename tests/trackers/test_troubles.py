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
    assert without_password("sqlite:////tmp/a.db") == "sqlite:////tmp/a.db"
