"""Reads columns of a table, row by row: CSV, TSV and other text with Python's csv, or Parquet.

Light: a Parquet file imports pyarrow.
"""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from zoo.datasets.files import unreachable
from zoo.datasets.folders.tree import in_words, looks_like_image
from zoo.errors import DataError, EnvironmentFault
from zoo.text.printable import quoted

Cell = str | list[str]  # A list of labels in Parquet alone.
DELIMITERS = ",\t;|"
HEAD_BYTES = 2**16
ZERO = b"\0"
PARQUET_ROWS = 2**14  # Rows of a Parquet file that are read at once.
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16",
          b"\xfe\xff": "utf-16"}  # fmt: skip
_PARQUET = b"PAR1"
# How files begin that are no table of text -> what they are, and what to do.
_MISTAKEN = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive: save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"SQLite": "an SQLite database: export the table as CSV",
    b"version https://git-lfs": "a pointer of Git LFS: run `git lfs pull`",
    b"<!DOCTYPE": "a web page: its download failed",
    b"<html": "a web page: its download failed",
}


@dataclass(frozen=True)
class Table:
    """A table whose columns are found.

    Args:
        path: the file.
        columns: names of all its columns; their numbers if it has no header.
        wanted: positions of the columns that are read.
        delimiter: between the columns; "" for Parquet.
        encoding: of the text; "" for Parquet.
        header: whether the first line names the columns.
    """

    path: Path
    columns: tuple[str, ...]
    wanted: tuple[int, ...]
    delimiter: str
    encoding: str
    header: bool

    def rows(self) -> Iterator[tuple[int, list[Cell] | None, int]]:
        """Yields (line, cells of the wanted columns, number of cells) of each row.

        The cells are None where a row has another number of them than the header. Empty rows are
        left out. Lines count from 1; those of Parquet are rows. Cells have no spaces around them.

        Raises:
            DataError: the file is no table, or is in another encoding.
        """
        return _parquet_rows(self) if not self.delimiter else self._text_rows()

    def _text_rows(self) -> Iterator[tuple[int, list[Cell] | None, int]]:
        width = len(self.columns)
        with open(self.path, encoding=self.encoding, newline="") as file:
            reader = _reader(file, self.delimiter)
            try:
                rows = filter(any, reader)
                if self.header:
                    next(rows)
                for cells in rows:
                    count = len(cells)
                    if count < width or any(cells[width:]):
                        yield reader.line_num, None, count
                    else:
                        yield reader.line_num, [cells[i].strip() for i in self.wanted], count
            except (csv.Error, UnicodeError) as error:
                raise _unreadable(self.path, error, reader.line_num, self.encoding) from None


def open_table(
    path: Path,
    wanted: Sequence[str | int],
    *,
    delimiter: str = "auto",
    encoding: str = "auto",
    header: bool = True,
) -> Table:
    """Finds the columns of a table.

    Args:
        path: the file.
        wanted: names of the columns to read; their numbers, from 0, if there is no header.
        delimiter: between the columns; `auto`: the one by which the wanted columns are found.
        encoding: of the text; `auto`: UTF-8, or what the file's first bytes say.
        header: whether the first line names the columns.

    Raises:
        DataError: the file is missing or no table, or lacks a column.
        EnvironmentFault: the file is Parquet, and pyarrow is not installed.
    """
    head = _head(path)
    if head.startswith(_PARQUET):
        columns = tuple(_parquet(path).schema_arrow.names)
        return Table(path, columns, _found(path, columns, wanted, header=False), "", "", True)
    if encoding == "auto":
        encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")
        if encoding == "utf-8" and ZERO in head[:4]:
            raise DataError(
                f"{quoted(path)} holds zero bytes, which no CSV in UTF-8 does. Save the table as "
                "UTF-8, or, if it is UTF-16 without its mark, set data.source.csv.encoding: "
                f"{'utf-16-le' if head[1:2] == ZERO else 'utf-16-be'}"
            )
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # Leaves out the mark that Excel writes.
    first: dict[str, list[str] | None] = {}
    for candidate in DELIMITERS if delimiter == "auto" else delimiter:
        first[candidate] = _first_row(path, candidate, encoding)
    if not any(first.values()):
        if any(cells is None for cells in first.values()):
            raise DataError(
                f"{quoted(path)}: not CSV: its first line cannot be read. Expected names of "
                "columns, and quotes in pairs; see also data.source.csv.delimiter"
            )
        raise DataError(f"{quoted(path)} is empty. Expected a line for each image")

    def fit(candidate: str) -> tuple[int, int, bool]:
        names = first[candidate] or []
        known = {str(i) for i in range(len(names))} if not header else set(names)
        tabs = candidate == "\t" and path.suffix.lower() in (".tsv", ".tab")
        return sum(str(name) in known for name in wanted), len(names), tabs

    chosen = max(first, key=fit)
    cells = first[chosen] or []
    columns = tuple(cells) if header else tuple(map(str, range(len(cells))))
    return Table(
        path, columns, _found(path, columns, wanted, header=header), chosen, encoding, header
    )


def _found(
    path: Path, columns: tuple[str, ...], wanted: Sequence[str | int], *, header: bool
) -> tuple[int, ...]:
    """The positions of the wanted columns.

    Raises:
        DataError: there is none, or two of one name.
    """
    names = list(map(str, wanted))
    missing = [name for name in names if name not in columns]
    if missing:
        folded = {column.casefold(): column for column in columns}
        near = [
            folded[match]
            for name in missing
            for match in get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
        ]
        hint = f"; did you mean {in_words(near)}?" if near else "."
        raise DataError(
            f"{quoted(path)} has no column{'s' * (len(missing) > 1)} {in_words(missing)}{hint} "
            f"Its columns are: {in_words(columns)}; {_advice(columns, header=header)}"
        )
    doubled = [name for name in names if columns.count(name) > 1]
    if doubled:
        raise DataError(
            f"{quoted(path)} has several columns of the name {in_words(doubled)}. Expected one; "
            "rename the others"
        )
    return tuple(map(columns.index, names))


def _advice(columns: Sequence[str], *, header: bool) -> str:
    """What to do about a first line that names other columns than those that are wanted."""
    if columns and columns[0].lower().startswith("sep="):
        return "remove this line, which Excel alone knows"
    values = [column for column in columns[1:] if not column.replace(".", "").isdigit()]
    if header and (not values or any(map(looks_like_image, columns))):
        return "if they are values, not names, set header: false and number the columns from 0"
    return "see data.source.csv"


def _head(path: Path) -> bytes:
    """The first bytes of a table.

    Raises:
        DataError: the file is missing, or something else than a table.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise DataError(
                f"{quoted(path)} is a folder. Expected a table; for folders of images there is "
                "data.source.folder"
            )
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{quoted(path)} is not a regular file. Expected a table")
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise DataError(
            f"the table {quoted(path)} does not exist; check data.source.csv.file"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"the table {quoted(path)} {unreachable(path, error)}") from None
    for start, meaning in _MISTAKEN.items():
        if head.startswith(start):
            raise DataError(f"{quoted(path)} is {meaning}. Expected CSV, TSV or Parquet")
    return head


def _reader(file: io.TextIOBase, delimiter: str) -> Any:
    # Strict: a quote that is not closed would swallow rows in silence.
    return csv.reader(file, delimiter=delimiter, strict=True, skipinitialspace=True)


def _first_row(path: Path, delimiter: str, encoding: str) -> list[str] | None:
    """The cells of the first row; empty for an empty table, None where no row can be read."""
    with open(path, encoding=encoding, newline="") as file:
        reader = _reader(file, delimiter)
        try:
            cells: list[str] = next((cells for cells in reader if any(cells)), [])
        except UnicodeError as error:
            raise _unreadable(path, error, 1, encoding) from None
        except csv.Error:  # Text that is quoted for another delimiter, or a quote left open.
            return None
    cells = [cell.strip() for cell in cells]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _unreadable(path: Path, error: Exception, line: int, encoding: str) -> DataError:
    """The error of text that cannot be read on."""
    if isinstance(error, csv.Error):
        return DataError(
            f"{quoted(path)}:{line}: not CSV: {error}. Expected quotes in pairs, and a quote "
            'within a quoted text as ""; see also data.source.csv.delimiter'
        )
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding
    where, what = "", str(error)
    if encoding == "utf-8":
        with open(path, "rb") as file:
            for number, content in enumerate(file, 1):
                try:
                    content.decode()
                except UnicodeDecodeError as found:
                    around = content[max(0, found.start - 10) : found.end + 10]
                    where = f":{number}"
                    what = f"the byte 0x{content[found.start]:02x} in {ascii(around)[1:]}"
                    break
    return DataError(
        f"{quoted(path)}{where}: not {encoding}: {what}. Save the table as UTF-8, or set "
        "data.source.csv.encoding to what it is: cp1252 (Excel on Windows in western Europe), "
        "cp1251, shift_jis, gb18030 ..."
    )


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise EnvironmentFault(
            f"{quoted(path)} is a Parquet file, which pyarrow reads: pip install pyarrow"
        ) from None
    try:
        return parquet.ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise DataError(f"{quoted(path)}: not a Parquet file that can be read: {error}") from None


def _parquet_rows(table: Table) -> Iterator[tuple[int, list[Cell] | None, int]]:
    import pyarrow

    columns = [table.columns[i] for i in table.wanted]
    file = _parquet(table.path)
    for name in columns:
        kind = file.schema_arrow.field(name).type
        if pyarrow.types.is_struct(kind) or pyarrow.types.is_binary(kind):
            raise DataError(
                f"{quoted(table.path)}: the column {quoted(name)} holds {kind}. Expected text or "
                "numbers; images must be files of their own, whose paths the table names"
            )
    number = 0
    try:
        for batch in file.iter_batches(PARQUET_ROWS, columns=columns):
            # By name: a file may hold its columns in another order.
            values = [batch.column(name).to_pylist() for name in columns]
            for cells in zip(*values, strict=True):
                number += 1
                yield number, list(map(_cell, cells)), len(table.columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{quoted(table.path)}: cannot be read further: {error}") from None


def _cell(value: Any) -> Cell:
    if isinstance(value, list):
        return [text for item in value if (text := _text(item))]
    return _text(value)


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()
