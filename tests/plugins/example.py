"""The example of docs/plugins.md as files, and small changes of it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "plugins.md"


def block(language: str, start: str) -> str:
    """The first code block of the page in a language that begins with a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    return next(text for text in blocks if text.startswith(start))


def write(folder: Path, *changes: tuple[str, str], parts: tuple[tuple[str, str], ...] = ()) -> Path:
    """Writes the example's two files; returns the recipe.

    Args:
        folder: where to.
        changes: (old, new) texts of the recipe.
        parts: (old, new) texts of my_parts.py.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text, edits in (
        ("my_parts.py", block("python", '"""Parts for'), parts),
        ("own.yaml", block("yaml", "name: own"), changes),
    ):
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new, 1)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "own.yaml"
