"""Overrides that say where something is now that a run was trained with. Light."""

from __future__ import annotations

from collections.abc import Sequence


def is_moved(override: str) -> bool:
    """Whether an override says where images or the user's own parts are now."""
    return is_moved_part(override) or override.replace(" ", "").startswith(
        ("data.source=", "data.source.")
    )


def is_moved_part(override: str) -> bool:
    """Whether an override says where the user's own parts are now."""
    return override.replace(" ", "").startswith(("plugins=", "plugins["))


def moved(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that say where images or the user's own parts are now.

    Args:
        overrides: as `--set` takes them.
    """
    return [override for override in overrides if is_moved(override)]
