from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.trackers import folders
from zoo.errors import RunError
from zoo.rundir import Folds, Run, Search
from zoo.trackers.record import dataset, flat, metrics, open_folder, record_of, trials

STARTED = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def test_values_by_path() -> None:
    recipe = {"a": {"b": [{"c": 1}, "relu"]}, "empty": [], "none": None, "off": False}
    assert flat(recipe) == {"a.b.0.c": 1, "a.b.1": "relu", "empty": [], "none": None, "off": False}


def test_metrics_are_the_finite_numbers() -> None:
    row = folders.row(2, accuracy=None, note="text")
    assert metrics(row) == {"loss": 0.5, "val_loss": 1.0, "val_accuracy": 0.75, "seconds": 0.5}


@pytest.mark.parametrize(
    "data, expected",
    [
        ("digits", "digits"),
        ({"source": "digits"}, "digits"),
        ({"source": {"folder": {"path": "/data/pets"}}}, "folder pets"),
        ({"source": {"folder": "~/pets"}}, "folder pets"),
        ({"source": {"tfds": {"name": "cifar10"}}}, "tfds cifar10"),
        ({}, None),
    ],
)
def test_data_in_a_word(data: object, expected: str | None) -> None:
    assert dataset({"data": data}) == expected


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    record = record_of(folders.run(tmp_path / "one", group="seeds-1"))
    assert (record.kind, record.name, record.recipe) == ("run", "one", "small")
    assert (record.status, record.started, record.ended) == ("running", STARTED, None)
    assert record.group == "seeds-1"
    assert record.params["model.stack.0.conv.kernel_size.1"] == 3
    assert record.params["data.source.folder.path"] == "/somewhere/pets"
    assert "name" not in record.params
    assert record.tags["zoo.data"] == "folder pets"
    sent = list(record.epochs_after(1))
    assert [(epoch, at - STARTED) for epoch, at, _ in sent] == [(2, 1.0)]
    assert sent[0][2] == metrics(folders.row(2))
    assert {file.name for file in record.files} == {"recipe.yaml", "run.json", "metrics.jsonl"}


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one")
    assert record_of(run, gone=True).status == "killed"
    record = record_of(folders.finished(run, status="diverged"), gone=True)
    assert record.status == "diverged"
    assert record.ended is not None


def test_what_is_measured_at_the_end(tmp_path: Path) -> None:
    summary = record_of(folders.finished(folders.run(tmp_path / "one"))).summary
    assert (summary["best_val_accuracy"], summary["best_epoch"]) == (0.8, 3.0)


def test_a_check_is_no_training(tmp_path: Path) -> None:
    check = Run.at(tmp_path / "check")
    check.update(status="done")
    with pytest.raises(RunError, match="was made by `zoo check`"):
        record_of(check)


def test_a_search_and_its_trials(tmp_path: Path) -> None:
    search = folders.search(tmp_path / "tune")
    record = record_of(search)
    assert (record.kind, record.status) == ("search", "interrupted")
    best = [row["best_score"] for row in record.rows]
    assert best == pytest.approx([0.70556, 0.71111, 0.71111, 0.71111], abs=1e-5)
    assert [trial.name for trial in trials(search, 2)] == ["coarse-002", "fine-000"]
    first = next(trials(search, 0))
    assert first.params == {
        "train.optimizer.SGD.learning_rate": 0.1546,
        "seed": first.params["seed"],
    }
    assert first.tags["zoo.stage"] == "coarse"
    assert first.last_epoch == 1


def test_folders_are_known_by_their_files(tmp_path: Path) -> None:
    folds = folders.folds(tmp_path / "folds")
    assert isinstance(open_folder(folds.folder), Folds)
    assert isinstance(open_folder(folds.run(1).folder), Run)
    assert isinstance(open_folder(folders.search(tmp_path / "tune").folder), Search)
    assert record_of(folds).summary == {"mean_val_accuracy": 0.8, "sd_val_accuracy": 0.01}
    with pytest.raises(RunError, match="does not exist"):
        open_folder(tmp_path / "nothing")
