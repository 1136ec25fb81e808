"""Whether the user gave this process `--allow-plugins`. Light; imports nothing."""

from __future__ import annotations

FLAG = "--allow-plugins"
_given = False


def give(yes: bool) -> None:
    """Notes whether the user gave the flag."""
    global _given
    _given = yes


def is_given() -> bool:
    """Whether the user gave the flag."""
    return _given


def text() -> str:
    """What a command that goes on with this process's work needs; empty without the flag."""
    return f" {FLAG}" if _given else ""
