"""The options of `zoo` itself."""

from __future__ import annotations

from tests.cli.calls import call
from zoo import __version__


def test_version() -> None:
    assert call("--version").stdout == f"zoo {__version__}\n"
