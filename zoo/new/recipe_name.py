"""Turns any text into a recipe's name. Light."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 64


def recipe_name(text: str) -> str:
    """Converts `Äpfel & Birnen` to `Apfel-Birnen`, and text without a usable letter to `images`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    joined = re.sub(r"[^A-Za-z0-9._]+", "-", plain)
    return joined.strip("-._")[:MAX_LENGTH].rstrip("-._") or "images"
