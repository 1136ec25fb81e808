from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from tests.trackers import folders
from zoo.trackers.csv_tracker import TRIAL_COLUMNS, CsvTracker
from zoo.trackers.sender import Sender


def table(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_row_per_epoch(tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one", epochs=1)
    sender = Sender(CsvTracker(), print)
    assert sender.send(run)
    rows = [folders.row(1), folders.row(2, val_loss=None), folders.row(3, val_f1=0.5)]
    assert sender.send(run, rows)
    read = table(run.csv_file)
    assert [float(row["loss"]) for row in read] == [row["loss"] for row in rows]
    assert [row["val_loss"] for row in read] == ["2.0", "", repr(2 / 3)]
    assert [row["val_f1"] for row in read] == ["", "", "0.5"]
    assert not run.trackers_file.exists()


def test_a_row_per_trial(tmp_path: Path) -> None:
    search = folders.search(tmp_path / "tune")
    assert Sender(CsvTracker(), print).send(search)
    read = table(search.csv_file)
    assert list(read[0])[: len(TRIAL_COLUMNS)] == list(TRIAL_COLUMNS)
    rates = [float(row["train.optimizer.SGD.learning_rate"]) for row in read]
    assert rates == [0.1546, 0.1454, 0.006388, 0.007466]
