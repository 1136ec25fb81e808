"""Writes numbers of bytes for people. Light."""

from __future__ import annotations

UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


def size_text(size: float) -> str:
    """Returns a number of bytes with a decimal unit: `1.3 MB`.

    Args:
        size: bytes, 0 or more.
    """
    if size < 1000:
        return f"{size:.0f} bytes"
    value = float(size)
    for unit in UNITS:
        value /= 1000
        if value < 999.95:  # More would be rounded to 1000.0.
            return f"{value:.1f} {unit}"
    return f"{value:.1e} {UNITS[-1]}"
