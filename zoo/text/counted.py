"""Writes counts for people: `1 epoch`, `3 epochs`, `1.23 M`. Light."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, which takes an s for all numbers but 1.

    Args:
        number: of things.
        noun: what one of them is called.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def amount(number: float, unit: str = "") -> str:
    """Returns a number in three digits with a prefix: 1234567 is `1.23 M`.

    Args:
        number: not negative.
        unit: written after the prefix.
    """
    units = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
    for factor, prefix in units:
        if number >= 0.9995 * factor:  # Less would be rounded to less than 1.
            return f"{number / factor:.3g} {prefix}{unit}"
    return f"{number:g} {unit}".rstrip()
