"""Proposes the source `csv` for a folder with a table beside its images. Light."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.data.folders.tree import looks_like_image
from zoo.data.tables.image_paths import SUFFIXES
from zoo.data.tables.table import Table, open_table
from zoo.errors import ZooError
from zoo.new.table_columns import IMAGE_WORDS, find_columns, words_of
from zoo.text.printable import quoted

ENDINGS = (".csv", ".tsv", ".parquet")
MAX_TABLES, MAX_FOLDERS, MAX_COLUMNS = 20, 100, 200
ROWS = 20_000  # Rows that are looked at.
TRIED = 20  # Cells of a column that are looked for as files.
ENOUGH = 0.8  # Share of them that must be there.


def find_table(place: Path) -> tuple[dict[str, Any], list[str]] | None:
    """Finds a table that names images, and what its columns hold.

    Args:
        place: a folder, or a table.

    Returns:
        Options of the source `csv`, and sentences on them; None if there is no such table.
    """
    tables = [place] if place.is_file() else _tables(place)
    for file in tables:
        try:
            found = _read(file)
        except ZooError:  # No table, or one without columns that can be read.
            continue
        if found is not None:
            return found
    return None


def _tables(folder: Path) -> list[Path]:
    """The tables in a folder and in the folders in it; those that speak of training come first."""
    files = [
        path
        for inside in (folder, *_folders(folder))
        for path in _files(inside)
        if path.suffix.lower() in ENDINGS
        and path.is_file()
        and not words_of(path.stem) & {"sample", "submission"}
    ]
    wanted = {"train", "label", "labels", "annotations", "metadata"}
    files.sort(key=lambda path: not words_of(path.stem) & wanted)
    return files[:MAX_TABLES]


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    try:
        inner = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []
    return [Path(path) for path in inner[:MAX_FOLDERS] if not Path(path).name.startswith(".")]


def _read(file: Path) -> tuple[dict[str, Any], list[str]] | None:
    columns = [name for name in open_table(file, ()).columns[:MAX_COLUMNS] if name]
    columns = [name for name in columns if columns.count(name) == 1]
    cells = _cells(open_table(file, columns), columns)
    roots = [file.parent, *_folders(file.parent)]
    roots += [inner for folder in roots[1:] for inner in _folders(folder)][:MAX_FOLDERS]
    roots += [file.parent.parent, *_folders(file.parent.parent)]
    by_name = sorted(columns, key=lambda name: not words_of(name) & IMAGE_WORDS)
    for image in by_name:
        place = _place(cells[image], roots)
        if place is None:
            continue
        root, suffix = place
        found = find_columns({name: of for name, of in cells.items() if name != image})
        if found is None:
            return None
        options: dict[str, Any] = {"file": str(file), "image": image, **found.options}
        if root != file.parent:
            options["root"] = os.path.relpath(root, file.parent)
        if suffix:
            options["image_suffix"] = suffix
        reason = f"{quoted(file.name)} names the images ({image}) and their labels"
        return options, [reason, *found.reasons]
    return None


def _cells(table: Table, columns: Sequence[str]) -> dict[str, list[str]]:
    """The cells of the first rows, by column."""

    def rows() -> Iterator[list[str]]:
        for _, cells, _ in islice(table.rows(), ROWS):
            if cells is not None:
                yield ["|".join(c) if isinstance(c, list) else c for c in cells]

    kept = list(rows())
    return {name: [row[place] for row in kept] for place, name in enumerate(columns)}


def _place(cells: Sequence[str], roots: Sequence[Path]) -> tuple[Path, str] | None:
    """The root and the ending with which cells are paths of images; None if they are none."""
    step = max(1, len(cells) // TRIED)
    tried = [cell.replace("\\", "/") for cell in cells[::step][:TRIED]]
    plain = [cell for cell in tried if cell and len(cell) < 300 and "\0" not in cell]
    if not plain or len(set(plain)) < len(plain) / 2:
        return None
    suffixes: Sequence[str] = ("",) if all(map(looks_like_image, plain)) else ("", *SUFFIXES)
    for root in dict.fromkeys(roots):
        for suffix in suffixes:
            if not any(os.path.isfile(root / (cell + suffix)) for cell in plain[:2]):
                continue
            found = sum(os.path.isfile(root / (cell + suffix)) for cell in plain)
            if found >= ENOUGH * len(tried):
                return root, suffix
    return None
