"""JSON: strict when written, checked when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.rundir.schema import EpochRow, RunInfo

ADVICE = "Do this."
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refuse(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")


@given(VALUES)
def test_what_is_written_is_json(value: Any) -> None:
    """No NaN and no infinity, wherever they are; all other values come back."""
    text = json_files.dumps(value)
    again = json.loads(text, parse_constant=refuse)
    assert json_files.dumps(again) == text


@given(VALUES)
def test_what_is_stored_can_be_read(value: Any) -> None:
    text = json_files.stored(value)
    read = json_files.parse(text.encode(), "x", ADVICE)
    if "\\ud" not in text:
        assert text == json_files.dumps(value)
    assert read == json.loads(text)


def test_names_that_are_not_utf8_are_stored_escaped() -> None:
    name = b"caf\xe9 \xf0\x9f\x99\x82".decode("utf-8", "surrogateescape")
    assert json.loads(json_files.stored({name: [name]})) == {
        "caf\\udce9 \U0001f642": ["caf\\udce9 \U0001f642"]
    }


def test_nan_is_null() -> None:
    nan, inf = float("nan"), float("inf")
    value = {"a": nan, "b": [1.5, -inf, {"c": (inf,)}], nan: 1}
    assert json.loads(json_files.dumps(value)) == {
        "a": None, "b": [1.5, None, {"c": [None]}], "nan": 1,
    }  # fmt: skip


def test_nothing_else_prints_json() -> None:
    wrong = [
        str(file.relative_to(ROOT))
        for package in ("zoo", "tuning")
        for file in sorted((ROOT / package).rglob("*.py"))
        if "json.dumps(" in file.read_text(encoding="utf-8").replace("(\n", "(")
        and "print(" + "json.dumps(" in "".join(file.read_text(encoding="utf-8").split())
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "text, part",
    [
        ("", "it is empty"),
        ("{", "not JSON, or cut short"),
        ("[" * 100_000, "nested too deeply"),
        ('{"status": "\\ud800"}', "not JSON"),
        ("\x00\x01", "not JSON"),
        ("[]", r"Expected a JSON object. Received \[\]"),
        ('{"status": "finished"}', "status: Expected 'running', .* Received \"finished\""),
        ('{"status": "done", "seed": "3"}', 'seed: Expected a valid integer. Received "3"'),
        ('{"status": "done", "seed": true}', "seed: Expected a valid integer. Received true"),
        ('{"seed": 3}', "lacks status"),
        ('{"status": "done", "name": "../x"}', "name: Expected text of the form"),
        ('{"status": "done", "class_names": ["a", "b", "a"]}', "'a' is there twice"),
        ('{"status": "done", "data": {"fingerprint": 3}}', "data.fingerprint: Expected a valid"),
        ('{"status": "done", "val_loss": 1e999}', "val_loss: Expected a finite number"),
    ],
)
def test_an_error_names_file_key_and_advice(tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DamagedFile, match=part) as caught:
        json_files.read(file, RunInfo, ADVICE)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert message.endswith(ADVICE)
    assert len(message) < 700


def test_older_files_hold_nan(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text('{"status": "done", "val_loss": NaN, "more": 1}', encoding="utf-8")
    assert json_files.read(file, RunInfo, ADVICE) == {
        "status": "done", "val_loss": None, "more": 1,
    }  # fmt: skip


def test_no_file_to_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "endless").symlink_to("/dev/zero")
    large = tmp_path / "large"
    large.touch()
    with large.open("r+b") as stream:
        stream.truncate(2**40)
    for name, part in {
        "nothing": "No such file", "folder": "no regular file", "endless": "no regular file",
        "large": "too large",
    }.items():  # fmt: skip
        with pytest.raises(DamagedFile, match=part):
            json_files.read(tmp_path / name, RunInfo, ADVICE)


def test_lines(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo', encoding="utf-8")
    rows, size = json_files.read_lines(file, EpochRow, ADVICE)
    assert rows == [{"epoch": 1}, {"epoch": 2}]
    assert size == len('{"epoch": 1}\n{"epoch": 2}\n')
    file.write_text('{"epoch": 1}\n{"epo\n{"epoch": 3}\n', encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"metrics.jsonl:2: cannot be read"):
        json_files.read_lines(file, EpochRow, ADVICE)
    file.write_text('{"epoch": "one"}\n', encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"metrics.jsonl:1: epoch: Expected a valid integer"):
        json_files.read_lines(file, EpochRow, ADVICE)
