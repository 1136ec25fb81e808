"""Proposes the source `csv` for a folder with a table beside its images. Light."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.folders.tree import looks_like_image
from zoo.datasets.tables.image_paths import SUFFIXES
from zoo.datasets.tables.table import Table, open_table
from zoo.errors import ZooError
from zoo.new.table_columns import IMAGE_WORDS, find_columns, words_of
from zoo.text.printable import quoted

ENDINGS = (".csv", ".tsv", ".parquet")
MAX_TABLES, MAX_FOLDERS, MAX_COLUMNS = 20, 100, 200
ROWS = 20_000  # Rows that are looked at.
TRIED = 20  # Cells of a column that are looked for as files.
ENOUGH = 0.8  # Share of them that must be there.


def find_table(place: Path, root: str | None = None) -> tuple[dict[str, Any], list[str]] | None:
    """Finds a table that names images, and what its columns hold.

    Args:
        place: a folder, or a table.
        root: folder of the images; None: it is looked for near the table.

    Returns:
        Options of the source `csv`, and sentences on them; None if there is no such table.
    """
    tables = [place] if place.is_file() else _tables(place)
    for file in tables:
        try:
            found = _read(file, root)
        except ZooError:  # No table, or one without columns that can be read.
            continue
        if found is not None:
            return found
    return None


def missing_images(file: Path, root: str | None = None) -> str | None:
    """Says that a table names image files that are not where they are looked for.

    Args:
        file: the table.
        root: as `find_table` takes it.

    Returns:
        A sentence; None if no column of the table looks like one of image files.
    """
    try:
        cells = _columns(file)
    except ZooError:
        return None
    for name, of_column in cells.items():
        tried = _tried(of_column)
        if tried and all(map(looks_like_image, tried)):
            roots = _roots(file, root)
            most = max(sum(os.path.isfile(at / cell) for cell in tried) for at in roots)
            places = str(roots[0]) if root else f"{roots[0]} and the folders near it"
            return (
                f"column {quoted(name)} names image files, such as {quoted(tried[0])}, and of "
                f"{len(tried):,} that were looked for in {quoted(places)} {most or 'none'} "
                f"{'is' if most < 2 else 'are'} there"
            )
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


def _columns(file: Path) -> dict[str, list[str]]:
    """The cells of the first rows, by the names of columns that are not twice there."""
    columns = [name for name in open_table(file, ()).columns[:MAX_COLUMNS] if name]
    columns = [name for name in columns if columns.count(name) == 1]
    return _cells(open_table(file, columns), columns)


def _roots(file: Path, root: str | None) -> list[Path]:
    """The folders in which a table's images may lie."""
    if root is not None:
        return [file.parent / root, Path(root)]
    roots = [file.parent, *_folders(file.parent)]
    roots += [inner for folder in roots[1:] for inner in _folders(folder)][:MAX_FOLDERS]
    return [*roots, file.parent.parent, *_folders(file.parent.parent)]


def _read(file: Path, root_given: str | None) -> tuple[dict[str, Any], list[str]] | None:
    cells = _columns(file)
    roots = _roots(file, root_given)
    by_name = sorted(cells, key=lambda name: not words_of(name) & IMAGE_WORDS)
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
    plain = _tried(cells)
    if not plain or len(set(plain)) < len(plain) / 2:
        return None
    suffixes: Sequence[str] = ("",) if all(map(looks_like_image, plain)) else ("", *SUFFIXES)
    for root in dict.fromkeys(roots):
        for suffix in suffixes:
            if not any(os.path.isfile(root / (cell + suffix)) for cell in plain[:2]):
                continue
            found = sum(os.path.isfile(root / (cell + suffix)) for cell in plain)
            if found >= ENOUGH * min(len(cells), TRIED):
                return root, suffix
    return None


def _tried(cells: Sequence[str]) -> list[str]:
    """Some cells of a column, spread over it, that may be paths."""
    step = max(1, len(cells) // TRIED)
    tried = [cell.replace("\\", "/") for cell in cells[::step][:TRIED]]
    return [cell for cell in tried if cell and len(cell) < 300 and "\0" not in cell]
