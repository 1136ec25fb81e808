"""Any bytes as a table: read, or refused with a sentence, never a traceback."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.datasets.table_files import options, table
from zoo.datasets.tables import table_layout
from zoo.errors import DataError
from zoo.new.propose_table import find_table

CELLS = st.sampled_from((
    "00.png", "01.png", "02.png", "03", "./04.png", "..", ".", "/", "\\", "images\\05.png", "a",
    "b", "3", "3.0", "03", "nan", "", " ", "train", "val", "test", "\u00e9", "e\u0301", "\0",
    "x\ty", "a|b", "['a', 'b']", "1", "0", "-1", "\u2028", "C:\\x", "http://x/y", "\ud800",
    "9" * 400, "a" * 5000,
))  # fmt: skip
OPTIONS = st.sampled_from((
    {}, {"split": "c"}, {"group": "c"}, {"label": ["b", "c"]}, {"label_separator": "|"},
    {"label": ["b", "c"], "multi_label": False}, {"multi_label": True}, {"encoding": "latin-1"},
    {"header": False, "image": 0, "label": 1}, {"delimiter": " "}, {"image_suffix": ".png"},
))  # fmt: skip


def reads_or_refuses(file: Path, given_options: dict[str, Any], content: bytes) -> None:
    file.write_bytes(content)
    asked = options(file, **{"image": "a", "label": "b", **given_options})
    for skip in (False, True):
        with contextlib.suppress(DataError):
            layout = table_layout.read(asked, skip_missing=skip)
            assert layout.train
            assert layout.validation
            assert table_layout.class_names(asked) == layout.class_names
    find_table(file)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table(tmp_path_factory.mktemp("tables"), ())


FEW = settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
MANY = settings(FEW, max_examples=500)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=12)


@FEW
@given(rows=ROWS, given_options=OPTIONS, odd=st.binary(max_size=8))
def test_any_cells(
    file: Path, rows: list[list[str]], given_options: dict[str, Any], odd: bytes
) -> None:
    text = "\n".join(["a,b,c", *map(",".join, rows)])
    reads_or_refuses(file, given_options, text.encode("utf-8", "surrogatepass") + odd)


@pytest.mark.laws
@MANY
@given(rows=ROWS, given_options=OPTIONS, odd=st.binary(max_size=8))
def test_many_cells(
    file: Path, rows: list[list[str]], given_options: dict[str, Any], odd: bytes
) -> None:
    text = "\n".join(["a,b,c", *map(",".join, rows)])
    reads_or_refuses(file, given_options, odd + text.encode("utf-8", "surrogatepass"))


@pytest.mark.laws
@MANY
@given(content=st.binary(max_size=200), given_options=OPTIONS)
def test_any_bytes(file: Path, content: bytes, given_options: dict[str, Any]) -> None:
    for start in (b"", b"a,b,c\n", b"PAR1", b"\xff\xfe"):
        reads_or_refuses(file, given_options, start + content)
