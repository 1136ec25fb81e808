"""Makes tables beside images that hold nothing, and reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.datasets.folders.test_layout import touch
from zoo.datasets.image_files import Layout
from zoo.datasets.tables import table_layout
from zoo.recipe.csv_source import Csv


def table(
    folder: Path, rows: Iterable[str], header: str = "path,class", name: str = "l.csv"
) -> Path:
    """Writes a table, and in images/ a file for each number of two digits below 30."""
    if not (folder / "images").exists():
        touch(folder / "images", *(f"{number:02}.png" for number in range(30)))
    file = folder / "l.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def options(file: Path, **given: Any) -> Csv:
    """The options of a source whose images lie in images/ beside the table."""
    defaults = {"file": str(file), "image": "path", "label": "class", "root": "images"}
    return Csv.model_validate({**defaults, **given})


def read(file: Path, *, skip_missing: bool = False, **given: Any) -> Layout:
    """Reads a table."""
    return table_layout.read(options(file, **given), skip_missing=skip_missing)


def rows(labels: Iterable[object], ending: str = ".png") -> list[str]:
    """Rows of the images 00.png, 01.png ... with these labels."""
    return [f"{number:02}{ending},{label}" for number, label in enumerate(labels)]
