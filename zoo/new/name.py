"""Makes a recipe's name of any text. Light."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 64


def recipe_name(text: str) -> str:
    """`Äpfel & Birnen` as `Apfel-Birnen`; `images` where no letter can be kept."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9._]+", "-", plain)
    return words.strip("-._")[:LONGEST].rstrip("-._") or "images"
