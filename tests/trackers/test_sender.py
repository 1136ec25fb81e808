from __future__ import annotations

from pathlib import Path

import pytest

from tests.trackers import folders
from tests.trackers.recorder import Recorder
from zoo.trackers.sender import Sender

Notes = list[str]


@pytest.fixture
def notes() -> Notes:
    return []


@pytest.fixture
def sender(notes: Notes) -> Sender:
    return Sender(Recorder(), notes.append)


def events(sender: Sender) -> list[tuple[object, ...]]:
    assert isinstance(sender.tracker, Recorder)
    found, sender.tracker.events = sender.tracker.events, []
    return found


def test_each_epoch_is_sent_once(sender: Sender, tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one", epochs=1)
    assert sender.send(run)
    run.write_rows([folders.row(epoch) for epoch in (1, 2, 3)])
    assert sender.send(run)
    assert sender.send(run)
    begin, *rows = events(sender)
    assert begin == ("begin", "one", None)
    assert rows == [("row", "one", epoch) for epoch in (1, 2, 3)]
    assert folders.entry(run, "mlflow") == {"epochs": 3, "run_id": "id-one"}


def test_a_resumed_run_goes_on_with_the_same_one(sender: Sender, tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one")
    sender.send(run)
    again = Sender(Recorder(), lambda text: None)  # Of another process.
    again.send(folders.finished(run), final=True)
    assert events(again) == [
        ("begin", "one", "id-one"), ("row", "one", 3), ("end", "one", "done"),
    ]  # fmt: skip
    assert folders.entry(run, "mlflow")["ended"] == "done"


def test_a_run_is_ended_only_when_all_is_done_with_it(sender: Sender, tmp_path: Path) -> None:
    """The status is `done` before the evaluation and the export."""
    sender.send(folders.finished(folders.run(tmp_path / "one")))
    assert "end" not in [event[0] for event in events(sender)]


def test_a_server_that_is_away_is_noted_once_and_nothing_is_lost(
    sender: Sender, notes: Notes, tmp_path: Path
) -> None:
    run = folders.run(tmp_path / "one", epochs=1)
    sender.send(run)
    assert isinstance(sender.tracker, Recorder)
    sender.tracker.away = ConnectionError("[Errno 111] Connection refused")
    for epochs in (2, 3):
        run.write_rows([folders.row(epoch) for epoch in range(1, epochs + 1)])
        assert not sender.send(run)
    assert notes == [
        "note: MLflow: the server refuses the connection; what is missing is sent later"
    ]
    sender.tracker.away = None
    assert sender.send(folders.finished(run, 4), final=True)
    assert notes[1:] == ["note: MLflow: works again; what was missing is sent"]
    assert [event[2] for event in events(sender) if event[0] == "row"] == [1, 2, 3, 4]


def test_trials_are_children_and_each_is_sent_once(sender: Sender, tmp_path: Path) -> None:
    search = folders.search(tmp_path / "tune")
    sender.send(search)
    sender.send(search, final=True)
    assert isinstance(sender.tracker, Recorder)
    names = ["coarse-000", "coarse-001", "coarse-002", "fine-000"]
    assert sender.tracker.parents == dict.fromkeys(names, "id-tune")
    told = events(sender)
    assert [event[1] for event in told if event[0] == "begin"] == ["tune", *names]
    assert ("end", "fine-000", "done") in told
    assert told[-1] == ("end", "tune", "interrupted")
    assert folders.entry(search, "mlflow")["trials"] == 4


def test_a_search_that_was_cut_off_goes_on_with_the_next_trial(
    sender: Sender, tmp_path: Path
) -> None:
    search = folders.search(tmp_path / "tune")
    rows = search.trials_file.read_text().splitlines(keepends=True)
    search.trials_file.write_text("".join(rows[:3]))
    sender.send(search)
    search.trials_file.write_text("".join(rows))
    again = Sender(Recorder(), lambda text: None)
    again.send(search)
    assert [event[1] for event in events(again) if event[0] == "begin"] == ["tune", "fine-000"]


def test_folds_are_children(sender: Sender, tmp_path: Path) -> None:
    folds = folders.folds(tmp_path / "folds")
    for index in (1, 2):
        sender.send(folds.run(index), final=True)
    sender.send(folds, final=True)
    assert isinstance(sender.tracker, Recorder)
    assert sender.tracker.parents == {"fold-1": "id-folds", "fold-2": "id-folds"}
    assert events(sender)[-1] == ("end", "folds", "done")


@pytest.mark.parametrize("content", ["", "{", '{"mlflow": {"run_id": 7}}'])
def test_notes_that_cannot_be_read_begin_another_run(
    sender: Sender, tmp_path: Path, content: str
) -> None:
    run = folders.run(tmp_path / "one")
    run.trackers_file.write_text(content)
    assert sender.send(run)
    assert events(sender)[0] == ("begin", "one", None)
