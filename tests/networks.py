"""Recipes of small networks; light, unlike tests/runs.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.recipe import Recipe, load


def network(
    folder: Path, stack: str, image: Sequence[int] = (8, 8), more: str = "", train: str = ""
) -> Recipe:
    """A recipe of a stack given in YAML, for images of any size; no data is read for it."""
    text = (
        f"name: net\ndata: {{source: digits, image_size: [{image[0]}, {image[1]}], "
        f"preprocess: scale01}}\nmodel:\n  stack: {stack}\n{more}train: {{epochs: 1{train}}}\n"
    )
    file = folder / "net.yaml"
    file.write_text(text, encoding="utf-8")
    return load(str(file))
