"""A journal that was torn at any byte holds the rows that were whole, and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tuning.records import record
from tuning.journal import JsonLines, TrialJournal, read, read_trials
from zoo.errors import RunError
from zoo.files import json_files
from zoo.rundir import Search

ROWS: list[dict[str, Any]] = [
    {"trial": "coarse-000", "values": {"a.b[0]": 1e-7}, "score": None, "reason": "two\nlines"},
    {"trial": "größe-001", "values": {"a.b[0]": "\u2028"}, "score": 0.5, "reason": None},
    {"trial": "coarse-002", "values": {}, "score": 1.0, "reason": "\x85 \r"},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trials.jsonl"


def test_a_missing_file_has_no_rows(file: Path) -> None:
    assert list(read(file)) == list(JsonLines(file).read()) == []
    assert not file.exists()


def test_rows_come_back(file: Path) -> None:
    journal = JsonLines(file)
    journal.append()
    assert not file.exists()
    journal.append(ROWS[0])
    journal.append(*ROWS[1:])
    assert list(read(file)) == list(JsonLines(file).read()) == ROWS
    assert len(file.read_bytes().split(b"\n")) == len(ROWS) + 1


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_torn_anywhere_it_goes_on(file: Path, data: st.DataObject) -> None:
    lines = [json.dumps(row) + "\n" for row in ROWS]
    whole = "".join(lines).encode()
    cut = data.draw(st.integers(0, len(whole)))
    file.write_bytes(whole[:cut])
    left = [row for end, row in zip(_ends(lines), ROWS, strict=True) if end <= cut]
    assert list(read(file)) == left
    assert file.stat().st_size == cut, "to read is not to repair"
    journal = JsonLines(file)
    assert list(journal.read()) == left
    journal.append(ROWS[0])
    assert list(read(file)) == [*left, ROWS[0]]


def _ends(lines: list[str]) -> list[int]:
    return [sum(len(line.encode()) for line in lines[: place + 1]) for place in range(len(lines))]


@pytest.mark.parametrize("line", ["{broken", "", "[1, 2]", "3", '{"a": 1} {"b": 2}'])
def test_a_broken_line_in_the_middle_is_an_error(file: Path, line: str) -> None:
    file.write_text(f'{{"trial": "a"}}\n{line}\n{{"trial": "b"}}\n')
    with pytest.raises(RunError, match=r"trials.jsonl:2: .* Remove that line") as caught:
        list(read(file))
    assert caught.value.exit_code == 2


def test_what_json_cannot_hold_is_null(file: Path) -> None:
    JsonLines(file).append({"score": float("nan"), "curve": [{"loss": float("inf")}]})
    assert list(read(file)) == [{"score": None, "curve": [{"loss": None}]}]


def test_a_torn_line_is_told(file: Path) -> None:
    file.write_text('{"trial": "a"}\n{"trial": ', encoding="utf-8")
    notes: list[str] = []
    assert list(JsonLines(file).read(note=notes.append)) == [{"trial": "a"}]
    (note,) = notes
    assert "trials.jsonl: its last line is torn, as a crash leaves it" in note
    assert list(JsonLines(file).read(note=notes.append)) == [{"trial": "a"}]
    assert len(notes) == 1, "what was cut off is not there to be told again"


def test_trials_come_back(tmp_path: Path) -> None:
    folder = Search.create(tmp_path, "x")
    journal = TrialJournal(folder)
    assert journal.is_empty
    journal.begin("fine-000")
    assert not journal.is_empty
    trials = [record("coarse-000", rungs={4: 0.5}), record("fine-000", values={"a.b[0]": 1e-7})]
    for trial in trials:
        journal.append(trial)
    assert journal.records == TrialJournal(folder).records == read_trials(folder) == trials
    assert journal.stage("fine") == trials[1:]
    assert (journal.attempts("fine-000"), journal.attempts("coarse-000")) == (1, 0)
    assert TrialJournal(folder).attempts("fine-000") == 1


def test_a_search_holds_no_curves(tmp_path: Path) -> None:
    """They are on the disk; those of 100,000 trials would take half a gigabyte."""
    folder = Search.create(tmp_path, "x")
    journal = TrialJournal(folder)
    curve = [{"epoch": 1, "loss": 0.5}]
    journal.append(record("fine-000", curve=curve), record("fine-001"))
    assert [list(trial.curve) for trial in read_trials(folder)] == [curve, []]
    assert [list(trial.curve) for trial in journal.records] == [[], []]


def test_a_journal_may_be_larger_than_other_files(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of 100,000 trials is; only a line of it must fit into memory."""
    monkeypatch.setattr(json_files, "MAX_BYTES", 100)
    JsonLines(file).append(*({"trial": f"x-{index}"} for index in range(100)))
    assert file.stat().st_size > 1000
    assert len(list(read(file))) == 100
    JsonLines(file).append({"trial": "x" * 100})
    with pytest.raises(RunError, match=r"trials.jsonl:101: too large. Expected at most 100 bytes"):
        list(read(file))
