"""Commands for people to copy."""

from __future__ import annotations

from pathlib import Path

from zoo.text.commands import command


def test_command_is_quoted_for_the_shell() -> None:
    assert command("zoo", "train", "--resume", Path("runs/my net")) == (
        "zoo train --resume 'runs/my net'"
    )
