"""Tables as files: delimiters, encodings, quotes, Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.datasets.tables.table import open_table
from zoo.errors import DataError


def cells(file: Path, *wanted: str | int, **given: Any) -> list[tuple[int, Any]]:
    return [(line, row) for line, row, _ in open_table(file, wanted, **given).rows()]


@pytest.mark.parametrize(
    "text, given",
    [
        ("path,class\na.png,cat\n", {}),
        ("path;class\r\na.png;cat\r\n", {}),
        ("path\tclass\na.png\tcat", {}),
        ("\n id | path | class \n 7 | a.png | cat \n\n", {}),
        ('class,x,path\n"cat",",;\t","a.png"\n', {}),
        ("path  class\na.png   cat\n", {"delimiter": " "}),
        ("x,path,class,,\n0,a.png,cat,,\n,,,,\n", {}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts(tmp_path: Path, text: str, given: dict[str, Any], encoding: str) -> None:
    file = tmp_path / "l.csv"
    file.write_text(text, encoding=encoding, newline="")
    assert [row for _, row in cells(file, "path", "class", **given)] == [["a.png", "cat"]]


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "l.csv"
    file.write_text('path,class\n\na,"x\ny"\nb\nc,z\n', encoding="utf-8")
    assert cells(file, "class") == [(4, ["x\ny"]), (5, None), (6, ["z"])]


def test_without_a_header(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("a.png 3\nb.png 4\n", encoding="utf-8")
    found = cells(file, 0, 1, header=False, delimiter=" ")
    assert found == [(1, ["a.png", "3"]), (2, ["b.png", "4"])]
    with pytest.raises(DataError, match=r"no column 2. Its columns are: 0, 1;"):
        cells(file, 2, header=False, delimiter=" ")


def test_other_encodings_are_told(tmp_path: Path) -> None:
    file = tmp_path / "l.csv"
    file.write_bytes("path,class\na,x\nb,Löwe\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"l.csv:3: not utf-8: the byte 0xf6 in 'b,L\\xf6we"):
        cells(file, "path")
    assert cells(file, "class", encoding="cp1252")[1] == (3, ["Löwe"])


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is empty"),
        (b'path,class\n"a,x\nb,y\n', r"l.csv:3: not CSV: unexpected end of data"),
        (b'"path,class\na.png,x\n', "l.csv: not CSV: its first line cannot be read"),
        (b"PK\x03\x04..", "an Excel workbook or a ZIP archive: save the sheet as CSV"),
        (b"\x1f\x8b..", "compressed by gzip: unpack it"),
        (
            b"Path,label\n",
            r"no columns path, class; did you mean Path\? Its columns are: Path, label; see",
        ),
        (
            b"a.png,cat\n",
            r"class. Its columns are: a.png, cat; if they are values, not names, set h",
        ),
        (
            b"sep=;\npath;class\n",
            "Its columns are: sep=;; remove this line, which Excel alone knows",
        ),
        (
            "path,class\n".encode("utf-16-le"),
            "zero bytes.* set data.source.csv.encoding: utf-16-le",
        ),
        (
            "path,class\n".encode("utf-16-be"),
            "zero bytes.* set data.source.csv.encoding: utf-16-be",
        ),
        (b"path,class,class\n", "several columns of the name class"),
        (b"a.png,1,2\n", "if they are values, not names, set header: false and number"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "l.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        cells(file, "path", "class")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="l.csv does not exist; check data.source.csv.file"):
        cells(tmp_path / "l.csv", "path")
    with pytest.raises(DataError, match="is a folder. Expected a table"):
        cells(tmp_path, "path")


def test_parquet_without_columns(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({}), tmp_path / "l.parquet")
    with pytest.raises(DataError, match="has no column path"):
        open_table(tmp_path / "l.parquet", ("path",))


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    file = tmp_path / "l.parquet"
    columns = {
        "path": ["a.png", "b.png"], "class": [3, None], "tags": [["x", "y"], []],
        "image": [b"1", b"2"],
    }  # fmt: skip
    parquet.write_table(arrow.table(columns), file)
    assert cells(file, "class", "path") == [(1, ["3", "a.png"]), (2, ["", "b.png"])]
    assert cells(file, "tags") == [(1, [["x", "y"]]), (2, [[]])]
    with pytest.raises(DataError, match="column image holds binary. Expected text or numbers"):
        cells(file, "image")
    file.write_bytes(b"PAR1rubbish")
    with pytest.raises(DataError, match="not a Parquet file that can be read"):
        cells(file, "path")
