"""Writes counts for people: `1 epoch`, `3 epochs`. Light."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, which takes an s for all numbers but 1.

    Args:
        number: of things.
        noun: what one of them is called.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
