"""What a search leaves: the table, the pictures, and TensorBoard's HParams, read back."""

from __future__ import annotations

import csv
import json
import math
import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.test_light import HEAVY, fresh
from tests.tuning.records import record
from tuning.tables import COLUMNS, write_csv, write_hparams
from tuning.trials import TrialRecord
from zoo.report.search.png_figures import draw
from zoo.report.search.rows import active_seconds

RATE, DROP, ACT = "train.optimizer.SGD.learning_rate", "model.dropout", "model.activation"
NESTEROV = "train.optimizer.SGD.nesterov"
STAGES = [
    {
        "name": "coarse",
        "space": {
            RATE: {"min_value": 1e-6, "max_value": 10.0, "sampling": "log"},
            DROP: {"min_value": 0.0, "max_value": 0.5, "sampling": "linear"},
            ACT: {"values": ["relu", "gelu", None]},
        },
    },
    {
        "name": "fine",
        "space": {
            RATE: {"min_value": 1e-3, "max_value": 1.0, "sampling": "log"},
            ACT: {"values": ["relu", "gelu"]},
        },
    },
]


def trial(index: int, stage: str = "coarse", status: str = "done", **changed: Any) -> TrialRecord:
    drawn = random.Random(index)
    rate = 10 ** drawn.uniform(-6, 1)
    fields: dict[str, Any] = {
        "values": {RATE: rate, DROP: drawn.random() / 2, ACT: drawn.choice(["relu", None])},
        "status": status,
        "score": 0.9 - abs(math.log10(rate / 0.1)) / 10 if status != "diverged" else None,
        "se": 0.01,
        "epochs": 2,
        "steps": 40,
        "seconds": 1.5,
        "reason": None if status == "done" else f"{status} at step 12",
        "seed": index,
        "started": 1.7e9 + index,
        "ended": 1.7e9 + index + 1.5,
    }
    return record(f"{stage}-{index:03d}", **{**fields, **changed})


@pytest.fixture
def trials() -> list[TrialRecord]:
    statuses = ["done", "pruned", "diverged", "timeout", "failed"]
    coarse = [trial(index, status=statuses[index % 5]) for index in range(20)]
    fine = [trial(index, "fine", values={RATE: 0.1, ACT: "gelu"}) for index in range(20, 24)]
    return [*coarse, *fine, trial(24, "fine", values={RATE: 0.0, NESTEROV: True})]


def rows(trials: Iterable[TrialRecord]) -> list[dict[str, Any]]:
    return [trial.to_json() for trial in trials]


def test_csv_has_a_line_per_trial(trials: list[TrialRecord], tmp_path: Path) -> None:
    file = tmp_path / "trials.csv"
    write_csv(trials, file)
    with file.open(encoding="utf-8", newline="") as lines:
        table = list(csv.DictReader(lines))
    assert list(table[0]) == [*COLUMNS, ACT, DROP, RATE, NESTEROV]
    assert [line["trial"] for line in table] == [one.trial for one in trials]
    for line, one in zip(table, trials, strict=True):
        assert (line["score"] == "") is (one.score is None)
        assert one.score is None or float(line["score"]) == one.score
        assert float(line[RATE]) == one.values[RATE]
        assert (line[DROP] == "") is (DROP not in one.values)
    assert {line[ACT] for line in table} == {"relu", "gelu", "null", ""}
    assert table[2]["reason"] == "diverged at step 12"


def test_csv_keeps_a_reason_whole(tmp_path: Path) -> None:
    file = tmp_path / "trials.csv"
    reason = 'stopped: "loss", 3 times\nthe first'
    write_csv([trial(0, reason=reason)], file)
    with file.open(encoding="utf-8", newline="") as lines:
        assert next(csv.DictReader(lines))["reason"] == reason


def test_csv_of_no_trials_is_its_heading(tmp_path: Path) -> None:
    write_csv([], tmp_path / "trials.csv")
    assert (tmp_path / "trials.csv").read_text() == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("lower_is_better", [False, True])
def test_pictures(trials: list[TrialRecord], tmp_path: Path, lower_is_better: bool) -> None:
    made = draw(rows(trials), STAGES, "val_accuracy", tmp_path, lower_is_better=lower_is_better)
    names = ["scores.png", "best_so_far.png", "parallel.png"]
    assert made == [tmp_path / name for name in names]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    for file in made:
        assert file.read_bytes().startswith(b"\x89PNG")
        assert file.stat().st_size > 5000


def test_pictures_of_one_trial(tmp_path: Path) -> None:
    assert len(draw(rows([trial(0)]), STAGES, "val_accuracy", tmp_path)) == 3


def test_no_score_no_best(tmp_path: Path) -> None:
    made = draw(rows([trial(0, status="diverged")]), STAGES, "val_accuracy", tmp_path)
    assert [file.name for file in made] == ["scores.png"]
    assert draw([], STAGES, "val_accuracy", tmp_path / "none") == []


def test_seconds_in_which_no_trial_ran_do_not_count() -> None:
    times = {"a": (100, 110), "b": (105, 120), "c": (1120, 1125), "d": (1121, 1122)}
    trials = [
        replace(trial(0), trial=name, started=start, ended=end)
        for name, (start, end) in times.items()
    ]
    assert active_seconds(rows(trials)) == {"a": 10, "b": 20, "c": 25, "d": 22}
    assert active_seconds([]) == {}


def read(file: Path) -> list[Any]:
    """Events of a file, by TensorBoard's reader that needs no TensorFlow."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub import errors
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader, events = PyRecordReader_New(str(file)), []
    while True:
        try:
            reader.GetNext()
        except errors.OutOfRangeError:
            reader.file_handle.close()
            return events
        events.append(Event.FromString(reader.record()))


def test_hparams_are_read_back(trials: list[TrialRecord], tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import api_pb2, metadata

    made = write_hparams(trials, tmp_path)
    assert [file.parent for file in made] == [tmp_path / one.trial for one in trials]
    for file, one in zip(made, trials, strict=True):
        values = {value.tag: value for event in read(file) for value in event.summary.value}
        content = {tag: value.metadata.plugin_data.content for tag, value in values.items()}
        start = metadata.parse_session_start_info_plugin_data(
            content[metadata.SESSION_START_INFO_TAG]
        )
        end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
        assert start.group_name == one.trial
        assert (start.start_time_secs, end.end_time_secs) == (one.started, one.ended)
        assert set(start.hparams) == set(one.values)
        assert start.hparams[RATE].number_value == one.values[RATE]
        if NESTEROV in one.values:
            assert start.hparams[NESTEROV].bool_value is True
        if ACT in one.values:
            assert start.hparams[ACT].string_value == (one.values[ACT] or "null")
        compared = one.status in ("done", "pruned")
        assert end.status == (api_pb2.STATUS_SUCCESS if compared else api_pb2.STATUS_FAILURE)
        assert ("score" in values) is compared
        if compared:
            assert values["score"].simple_value == pytest.approx(one.score, rel=1e-6)


def test_hparams_written_again_replace_the_old(tmp_path: Path) -> None:
    write_hparams([trial(0)], tmp_path)
    write_hparams([trial(0)], tmp_path)
    assert len(list((tmp_path / "coarse-000").iterdir())) == 1


LIGHT = """\
import json, sys
from pathlib import Path
import tuning.confirm, tuning.refine.narrow, tuning.tables, zoo.report.search.png_figures
from tuning.trials import TrialRecord
light = sorted(sys.modules)
record = TrialRecord.from_json(json.loads(sys.argv[1]))
tuning.tables.write_hparams([record], Path(sys.argv[2]))
print(json.dumps([light, sorted(sys.modules)]))
"""


def test_report_is_light_and_hparams_need_no_tensorflow(tmp_path: Path) -> None:
    done = fresh(LIGHT, json.dumps(trial(0).to_json()), str(tmp_path))
    assert done.returncode == 0, done.stderr
    before, after = (
        {name.partition(".")[0] for name in names} for names in json.loads(done.stdout)
    )
    assert before.isdisjoint(HEAVY), sorted(before & set(HEAVY))
    assert "tensorboard" in after
    assert after.isdisjoint({"tensorflow", "keras"})
