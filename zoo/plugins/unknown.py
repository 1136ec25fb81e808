"""The error of a reference that leads nowhere. Light; imports nothing of zoo."""

from __future__ import annotations


class Unknown(Exception):
    """A reference that leads to no part; its text is a sentence for the recipe's author."""
