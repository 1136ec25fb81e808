"""A search from its first draw to best.yaml, undisturbed and disturbed.

Most searches here have workers that train nothing (`stand_in.py`): what is tested is who runs which
trial, what is kept, and what is said. The last tests train.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

from tests.runs import TINY, environment, zoo
from tests.tuning import stand_in
from tests.tuning.stand_in import BEST, RATE
from tuning.executors import local
from tuning.executors.local import LocalExecutor
from tuning.journal import read
from tuning.listener import SearchListener
from tuning.search import SearchResult, SearchSettings, begin, resume, with_proposal
from zoo.artifact.trained_run import TrainedRun
from zoo.errors import (
    DataError,
    Diverged,
    EnvironmentFault,
    Interrupted,
    RecipeError,
    RunError,
)
from zoo.evaluate import evaluate
from zoo.recipe import Template, find, load
from zoo.rundir import Run, Search
from zoo.train import train

SPACE = {RATE: {"min_value": 1e-4, "max_value": 1.0, "sampling": "log"}}
TUNE: dict[str, Any] = {
    "space": SPACE,
    "stages": [
        {"name": "coarse", "trials": 8, "epochs": 1},
        {"name": "fine", "trials": 6, "epochs": 2},
    ],
    "confirm": {"top": 2, "seeds": 2},
}
TOTAL = 8 + 6 + 2 * 2
# Of a row; what is left out depends on the clock and on what was lost.
LASTING = ("trial", "stage", "index", "values", "status", "score", "se", "reason", "epochs",
           "wanted_epochs", "best_epoch", "steps", "seed", "rungs", "curve")  # fmt: skip


def file_of(folder: Path, *overrides: str, text: str = TINY, **tune: Any) -> Path:
    """A recipe to be searched; `tune` changes its block."""
    data = yaml.safe_load(text.replace("1e-2", "0.01"))
    data["train"]["optimizer"] = "SGD"
    data["tune"] = {**TUNE, **tune}
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "search.yaml"
    file.write_text(Template(written(folder, data), overrides).dump(), encoding="utf-8")
    return file


def written(folder: Path, data: Any) -> str:
    (folder / "given.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return str(folder / "given.yaml")


def template(folder: Path, **tune: Any) -> Template:
    return Template(str(file_of(folder, **tune)))


def lasting(folder: Search) -> list[dict[str, Any]]:
    """What a disturbance must not change, by trial."""
    rows = read(folder.trials_file)
    assert len({row["trial"] for row in rows}) == len(rows), "a trial was counted twice"
    found = [{key: row[key] for key in LASTING} for row in rows]
    return sorted(found, key=lambda row: row["trial"])


class Stop(SearchListener):
    """Presses Ctrl-C after so many trials."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.notes: list[str] = []

    def finished(self, record: Any, total: int, left: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module", autouse=True)
def _stand_in() -> Iterator[None]:
    """No test of this module but those of `workers` trains."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "subprocess", stand_in.replaced())
        patch.setattr(local, "gpus", list)
        yield


@pytest.fixture
def interrupted(tmp_path: Path) -> Search:
    """A search of TUNE that was stopped in its first stage."""
    with pytest.raises(Interrupted):
        begin(template(tmp_path), tmp_path, SearchSettings(listener=Stop(3)))
    return Search.open(tmp_path / "tiny")


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """The undisturbed search that disturbed ones are compared with. Not to be written to."""
    folder = tmp_path_factory.mktemp("calm")
    return begin(template(folder), folder)


# What a search gives.


def test_outcome(calm: SearchResult) -> None:
    folder = calm.folder
    rows = lasting(folder)
    by_name = {row["trial"]: row for row in rows}
    assert calm.as_json().keys() == {
        "folder", "status", "trials", "best", "edge_verdicts", "words", "best_recipe", "seconds",
    }  # fmt: skip
    json.dumps(calm.as_json(), allow_nan=False)
    assert calm.trials == len(rows) == TOTAL
    assert calm.edge_verdicts == []
    best = calm.best
    assert best.keys() == {"trial", "values", "score", "score_sd", "seeds"}
    assert best["values"] == by_name[best["trial"]]["values"]
    again = [row for row in rows if row["stage"] == "confirm" and row["values"] == best["values"]]
    assert best["score"] == pytest.approx(fmean(row["score"] for row in again))
    assert best["seeds"] == len(again) == 2
    done = [row for row in rows if row["status"] == "done" and row["stage"] != "confirm"]
    assert max(row["score"] for row in done) <= best["score"] + 1e-3
    assert folder.info()["status"] == "done"
    assert folder.info()["best"] == best
    tries = [row["trial"] for row in read(folder.attempts_file)]
    assert sorted(tries) == [row["trial"] for row in rows]


def test_best_recipe_is_the_one_given_with_the_best_values(calm: SearchResult) -> None:
    text = calm.folder.best_file.read_text(encoding="utf-8")
    assert text.startswith(f"# zoo tune: {calm.best['score']:.4f} ± ")
    found = load(str(calm.folder.best_file))
    given = Template(str(calm.folder.recipe_file))
    assert found == given.filled(calm.best["values"])
    assert found.train.optimizer.options.learning_rate == calm.best["values"][RATE]


def test_stages_go_from_coarse_to_fine(calm: SearchResult) -> None:
    coarse, fine = calm.folder.info()["stages"]
    assert (coarse["prune"], fine["prune"]) == ("median", "none")
    assert (coarse["finished"], fine["finished"]) == (8, 6)
    old, new = coarse["space"][RATE], fine["space"][RATE]
    assert old["min_value"] <= new["min_value"] < BEST < new["max_value"] <= old["max_value"]
    assert new["max_value"] / new["min_value"] < old["max_value"] / old["min_value"]
    rows = lasting(calm.folder)
    for stage in (coarse, fine):
        mine = [row for row in rows if row["stage"] == stage["name"]]
        limits = stage["space"][RATE]
        assert all(
            limits["min_value"] <= row["values"][RATE] <= limits["max_value"] for row in mine
        )
        assert {row["wanted_epochs"] for row in mine} == {stage["epochs"]}
        assert len({row["seed"] for row in mine}) == 1
    seeds = {row["seed"] for row in rows if row["stage"] == "confirm"}
    assert len(seeds) == 2
    assert seeds.isdisjoint(row["seed"] for row in rows if row["stage"] != "confirm")


def test_only_the_best_of_each_stage_are_kept(tmp_path: Path) -> None:
    found = begin(template(tmp_path, keep=2), tmp_path)
    rows = lasting(found.folder)
    expected = []
    for stage in ("coarse", "fine", "confirm"):
        mine = [row for row in rows if row["stage"] == stage and row["status"] == "done"]
        mine.sort(key=lambda row: (-row["score"], row["index"]))
        expected += [row["trial"] for row in mine[:2]]
    assert found.folder.kept_trials() == sorted(expected)


def test_a_range_that_misses_the_optimum_is_left(tmp_path: Path) -> None:
    space = {RATE: {"min_value": 1e-6, "max_value": 1e-4, "sampling": "log"}}
    found = begin(template(tmp_path, space=space, extend=3), tmp_path)
    assert found.best["values"][RATE] > 1e-3
    assert f"best {RATE} " in found.edge_verdicts[0] or "scores rise" in found.edge_verdicts[0]
    assert "[1e-6, 1e-4]: extended to 1e-3" in found.edge_verdicts[0]
    assert [stage["name"] for stage in found.folder.info()["stages"]][:3] == [
        "coarse", "fine", "fine+1",
    ]  # fmt: skip


def test_the_least_loss_is_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores are told to the search as a loss's negative; rows and files say the loss."""
    found = begin(template(tmp_path, objective="val_loss"), tmp_path)
    rows = lasting(found.folder)
    assert all(row["score"] < 0 for row in rows), "the stand-in's score, its sign turned round"
    confirmed = [row for row in rows if row["stage"] == "confirm"]
    means = {
        row["values"][RATE]: fmean(o["score"] for o in confirmed if o["values"] == row["values"])
        for row in confirmed
    }
    assert found.best["score"] == pytest.approx(min(means.values()))
    assert load(str(found.folder.best_file)).train.monitor == "val_loss"


@pytest.mark.parametrize("oracle", ["bayesian", "hyperband"])
def test_other_oracles(tmp_path: Path, oracle: str) -> None:
    stages = [{"name": "only", "trials": 14, "epochs": 4, "oracle": oracle}]
    if oracle == "bayesian":
        stages[0]["trials"] = 5
    given = template(tmp_path, stages=stages, confirm="none", extend=0)
    found = begin(given, tmp_path, SearchSettings(workers=2))
    rows = lasting(found.folder)
    assert len(rows) == stages[0]["trials"]
    epochs = {row["wanted_epochs"] for row in rows}
    assert (max(epochs) == 4 and len(epochs) > 1) if oracle == "hyperband" else epochs == {4}
    assert (found.best["score_sd"], found.best["seeds"]) == (None, 1)
    again = begin(given, tmp_path / "again", SearchSettings(workers=2))
    assert lasting(again.folder) == rows


def test_a_small_list_is_exhausted(tmp_path: Path) -> None:
    space = {RATE: {"values": [0.01, 0.1, 1.0]}}
    found = begin(template(tmp_path, space=space, confirm="none", extend=0), tmp_path)
    coarse, fine = found.folder.info()["stages"]
    assert (coarse["exhausted"], coarse["finished"]) == (True, 3)
    assert found.best["values"] == {RATE: 0.01}


def test_what_makes_no_network_is_drawn_again(tmp_path: Path) -> None:
    """A pool larger than its 8 x 8 images: no trial is spent on finding that out."""
    pool = "model.stack[0].conv.pool"
    sizes = [{"max": {"pool_size": size}} for size in (2, 20, 30)]
    space = {**SPACE, pool: {"values": sizes}}
    found = begin(template(tmp_path, space=space, confirm="none", extend=0), tmp_path)
    rows = lasting(found.folder)
    assert {row["values"][pool]["max"]["pool_size"] for row in rows} == {2}
    assert [row["index"] for row in rows if row["stage"] == "coarse"] == list(range(8))
    assert found.folder.info()["stages"][0]["redrawn"] > 0


def test_a_space_without_a_network_is_a_recipe_error(tmp_path: Path) -> None:
    pool = "model.stack[0].conv.pool"
    space = {**SPACE, pool: {"values": [{"max": {"pool_size": size}} for size in (20, 30)]}}
    with pytest.raises(RecipeError, match="model.stack"):
        begin(template(tmp_path, space=space), tmp_path)


def test_all_diverge(tmp_path: Path) -> None:
    space = {RATE: {"min_value": 10, "max_value": 1e4, "sampling": "log"}}
    with pytest.raises(Diverged, match="no trial came to its end.*diverged at step 3") as caught:
        begin(template(tmp_path, space=space), tmp_path)
    assert caught.value.exit_code == 1
    for advice in ("Lower min_value of the learning rate", "zoo check"):
        assert advice in str(caught.value)
    folder = Search.open(tmp_path / "tiny")
    assert caught.value.facts == {"folder": str(folder)}
    assert folder.info()["status"] == "failed"
    assert {row["status"] for row in lasting(folder)} == {"diverged"}


def test_half_diverge(tmp_path: Path) -> None:
    space = {RATE: {"min_value": 1e-3, "max_value": 1e4, "sampling": "log"}}
    stages = [{"name": "only", "trials": 30, "epochs": 1}]
    found = begin(template(tmp_path, space=space, stages=stages, extend=0), tmp_path)
    rows = [row for row in lasting(found.folder) if row["stage"] == "only"]
    lost = [row for row in rows if row["status"] == "diverged"]
    assert len(rows) == 30
    assert len(lost) > 8
    assert all(row["score"] is None and row["reason"] == "diverged at step 3" for row in lost)


# Limits.


def test_time_is_up(interrupted: Search) -> None:
    """What was found by then is the result, and that it is not confirmed is said."""
    found = resume(interrupted.folder, overrides=["tune.max_minutes=1e-6"])
    assert found.trials == 3
    assert found.words == ["out of time before the best could be trained again: "
                           "one trial may be luck"]  # fmt: skip
    assert "in one trial, not confirmed" in interrupted.best_file.read_text(encoding="utf-8")
    assert (
        load(str(interrupted.best_file)).train.optimizer.options.learning_rate
        == (found.best["values"][RATE])
    )


def test_no_time_at_all(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="no trial was run.*give it more time"):
        begin(template(tmp_path, max_minutes=1e-9), tmp_path)


# Interrupted and taken up again.


@pytest.mark.parametrize("after", [1, 7, 8, 13, 14, 15, TOTAL])
def test_ctrl_c_anywhere(tmp_path: Path, calm: SearchResult, after: int) -> None:
    with pytest.raises(Interrupted, match=f"{after} trials are kept. .* --resume") as caught:
        begin(template(tmp_path), tmp_path, SearchSettings(listener=Stop(after)))
    assert caught.value.exit_code == 130
    folder = Search.open(tmp_path / "tiny")
    assert folder.info()["status"] == "interrupted"
    found = resume(folder.folder)
    assert lasting(folder) == lasting(calm.folder)
    assert (found.best, found.words) == (calm.best, calm.words)
    assert folder.kept_trials() == calm.folder.kept_trials()


@pytest.mark.parametrize("after", [8, TOTAL])
def test_a_model_left_over_goes(tmp_path: Path, calm: SearchResult, after: int) -> None:
    """As a search leaves it that is killed between the last row of a stage and its clearing up."""
    with pytest.raises(Interrupted):
        begin(template(tmp_path), tmp_path, SearchSettings(listener=Stop(after)))
    folder = Search.open(tmp_path / "tiny")
    stage = read(folder.trials_file)[-1]["stage"]
    mine = {row["trial"] for row in read(folder.trials_file) if row["stage"] == stage}
    Run.at(folder.trial(min(mine - set(folder.kept_trials()))).folder)
    resume(folder.folder)
    assert folder.kept_trials() == calm.folder.kept_trials()


def test_a_torn_row_is_run_again(interrupted: Search, calm: SearchResult) -> None:
    whole = interrupted.trials_file.read_bytes()
    interrupted.trials_file.write_bytes(whole[:-20])
    resume(interrupted.folder)
    assert lasting(interrupted) == lasting(calm.folder)


def test_rows_of_other_values_are_refused(interrupted: Search) -> None:
    rows = read(interrupted.trials_file)
    rows[1]["values"][RATE] = 0.5
    interrupted.trials_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(RunError, match="trial coarse-001 of the journal has other values"):
        resume(interrupted.folder)


def test_a_done_search_is_left_as_it_is(calm: SearchResult) -> None:
    before = calm.folder.trials_file.read_bytes()
    listener = Stop(0)
    found = resume(calm.folder.folder, SearchSettings(listener=listener))
    assert listener.notes == [f"{calm.folder} is done already: nothing to resume."]
    assert (found.best, found.trials) == (calm.best, calm.trials)
    assert calm.folder.trials_file.read_bytes() == before


def test_a_running_search_is_left_alone(interrupted: Search) -> None:
    with (
        interrupted.locked(),
        pytest.raises(RunError, match=f"still running as process {os.getpid()}; stop that one"),
    ):
        resume(interrupted.folder)


@pytest.mark.parametrize("folder", ["nothing", "."])
def test_no_search_there(tmp_path: Path, folder: str) -> None:
    with pytest.raises(RunError, match="Expected a folder made by `zoo tune`"):
        resume(tmp_path / folder)


@pytest.mark.parametrize(
    "change, told",
    [
        (
            {"space": {RATE: {**SPACE[RATE], "max_value": 2.0}}},
            rf"tune.space.{RATE}.max_value: was 1.0, is 2.0",
        ),
        ({"space": {**SPACE, "train.ema": {"values": [0.9, 0.99]}}}, "tune.space.train.ema: only"),
        ({"extend": 2}, "tune.extend: only now: 2"),
        ({"stages": TUNE["stages"][:1]}, "tune.stages: was"),
    ],
)
def test_another_recipe_is_refused(
    interrupted: Search, tmp_path: Path, change: Any, told: str
) -> None:
    before = interrupted.trials_file.read_bytes()
    other = template(tmp_path / "other", **change)
    with pytest.raises(RunError, match="begun with another recipe") as caught:
        resume(interrupted.folder, given=other)
    (problem,) = caught.value.problems
    assert problem.message.startswith(told.replace("\\", ""))
    assert "Begin a new search without --resume" in str(caught.value)
    # The same in the folder's own recipe.
    shutil.copy(tmp_path / "other" / "search.yaml", interrupted.recipe_file)
    with pytest.raises(RunError, match="begun with another recipe"):
        resume(interrupted.folder)
    assert interrupted.trials_file.read_bytes() == before


def test_another_change_is_refused(interrupted: Search) -> None:
    with pytest.raises(RunError, match="train.batch_size: was 256, is 64"):
        resume(interrupted.folder, overrides=["train.batch_size=64"])


def test_limits_may_be_changed(interrupted: Search, tmp_path: Path, calm: SearchResult) -> None:
    given = template(tmp_path / "other", max_minutes=60, trial_minutes=5)
    resume(interrupted.folder, given=given)
    assert lasting(interrupted) == lasting(calm.folder)


def test_the_limits_given_are_those_that_hold(interrupted: Search, tmp_path: Path) -> None:
    given = template(tmp_path / "other", max_minutes=1e-6)
    assert resume(interrupted.folder, given=given).trials == 3


def test_other_data_are_refused(interrupted: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_DATA", "b" * 64)
    with pytest.raises(DataError, match="Expected fingerprint aaaaaaaaaaaa .*Received bbbb"):
        resume(interrupted.folder)
    monkeypatch.delenv("STAND_IN_DATA")
    resume(interrupted.folder)


def test_another_backend_is_refused(interrupted: Search) -> None:
    info = interrupted.info()
    interrupted.write_info({**info, "backend": "jax"})
    with pytest.raises(RunError, match="begun with KERAS_BACKEND=jax.*resume it with that one"):
        resume(interrupted.folder)
    interrupted.write_info({**info, "device": "another"})
    listener = Stop(0)
    resume(interrupted.folder, SearchSettings(listener=listener))
    assert any("device another -> none" in note for note in listener.notes)


def test_a_search_out_of_time_goes_on_with_more(tmp_path: Path, calm: SearchResult) -> None:
    """A limit so short that no trial of the second stage is begun."""
    found = begin(template(tmp_path), tmp_path)
    info = found.folder.info()
    rows = read(found.folder.trials_file)
    kept = [row for row in rows if row["stage"] == "coarse"]
    found.folder.trials_file.write_text("".join(json.dumps(row) + "\n" for row in kept))
    found.folder.write_info({**info, "out_of_time": True, "seconds": 60.0})
    listener = Stop(0)
    short = template(tmp_path / "short", max_minutes=1.0)
    assert resume(found.folder.folder, SearchSettings(listener=listener), short).trials == len(rows)
    assert "--set tune.max_minutes=" in listener.notes[0]
    assert len(read(found.folder.trials_file)) == len(kept)
    resume(found.folder.folder, given=template(tmp_path / "long", max_minutes=60))
    assert lasting(found.folder) == lasting(calm.folder)


def test_a_stage_that_time_cut_stays_as_it_was_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more time, what came after it goes on, drawn from what was known then."""
    monkeypatch.setenv("STAND_IN_SECONDS", "0.02")
    many = [{"name": name, "trials": 500, "epochs": 1} for name in ("coarse", "fine")]
    minutes = 0.05
    while True:
        try:
            found = begin(template(tmp_path, stages=many, max_minutes=minutes), tmp_path)
        except Diverged:  # Not a trial was run in that time.
            minutes *= 2
            continue
        if {"coarse", "fine"} <= {row["stage"] for row in read(found.folder.trials_file)}:
            break
        minutes *= 2
    before = lasting(found.folder)
    coarse = [row for row in before if row["stage"] == "coarse"]
    assert len(coarse) < 500
    given = template(tmp_path / "more", stages=many, max_minutes=2 * minutes + 0.1)
    resume(found.folder.folder, given=given)
    after = lasting(found.folder)
    assert [row for row in after if row["stage"] == "coarse"] == coarse
    assert len(after) > len(before)
    names = {row["trial"] for row in after}
    assert names >= {row["trial"] for row in before}


@pytest.mark.parametrize("flaw", ["twice", "keys"])
def test_an_edited_journal_is_refused(interrupted: Search, flaw: str) -> None:
    lines = interrupted.trials_file.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.append(lines[1] if flaw == "twice" else '{"trial": "coarse-009"}\n')
    interrupted.trials_file.write_text("".join(lines), encoding="utf-8")
    what = "coarse-001 a second time" if flaw == "twice" else "not a row of a search"
    with pytest.raises(RunError, match=rf"trials.jsonl:4: .*{what}"):
        resume(interrupted.folder)


def test_a_folder_that_lacks_what_a_search_needs(interrupted: Search) -> None:
    text = interrupted.recipe_file.read_text(encoding="utf-8")
    interrupted.recipe_file.unlink()
    with pytest.raises(RunError, match=r"recipe.yaml: is missing"):
        resume(interrupted.folder)
    interrupted.recipe_file.write_text(text, encoding="utf-8")
    (interrupted.folder / "tune.json").write_text('{"status": "interrupted"}', encoding="utf-8")
    with pytest.raises(RunError, match="it lacks seed, workers"):
        resume(interrupted.folder)


# Workers.


def test_two_workers_run_each_trial_once(tmp_path: Path) -> None:
    found = begin(template(tmp_path), tmp_path, SearchSettings(workers=2))
    rows = lasting(found.folder)
    assert len(rows) == TOTAL
    again = begin(template(tmp_path), tmp_path / "again", SearchSettings(workers=2))
    assert lasting(again.folder) == rows
    assert {file.name for file in (found.folder.folder / "workers").iterdir()} == {
        "0.log", "1.log",
    }  # fmt: skip


def test_a_slow_worker_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is compared with whom does not depend on who is ready first."""
    expected = lasting(begin(template(tmp_path), tmp_path, SearchSettings(workers=2)).folder)
    monkeypatch.setenv("STAND_IN_FAULT", f"die:2:{tmp_path / 'flag'}")
    monkeypatch.setenv("STAND_IN_SECONDS", "0.05")
    found = begin(template(tmp_path), tmp_path / "again", SearchSettings(workers=2))
    assert lasting(found.folder) == expected


@pytest.mark.parametrize("kind", ["die", "hang"])
def test_a_lost_worker_is_replaced(
    tmp_path: Path, calm: SearchResult, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", f"{kind}:4:{tmp_path / 'flag'}")
    listener = Stop(0)
    found = begin(template(tmp_path), tmp_path, SearchSettings(listener=listener, silence=4))
    reason = "killed by signal 9" if kind == "die" else "was silent for 4 s"
    assert listener.notes == [f"worker 0 was lost ({reason}); another is started"]
    assert lasting(found.folder) == lasting(calm.folder)
    tries = {row["trial"]: row["attempts"] for row in read(found.folder.trials_file)}
    assert {name for name, count in tries.items() if count == 2} == {"coarse-003"}
    assert set(tries.values()) == {1, 2}


def test_a_trial_that_takes_its_workers_along_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", "die_above:0.02")
    stages = [{"name": "only", "trials": 8, "epochs": 1}]
    found = begin(template(tmp_path, stages=stages, extend=0), tmp_path)
    rows = {row["trial"]: row for row in read(found.folder.trials_file) if row["stage"] == "only"}
    failed = {name: row for name, row in rows.items() if row["status"] == "failed"}
    assert len(rows) == 8
    assert failed.keys() == {name for name, row in rows.items() if row["values"][RATE] > 0.02}
    assert 0 < len(failed) < 8
    for row in failed.values():
        assert (row["score"], row["attempts"]) == (None, 3)
        assert row["reason"].startswith("3 workers were lost with it (the last killed by signal 9)")


def test_a_fault_of_ours_stops_the_search(
    tmp_path: Path, calm: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", f"bug:3:{tmp_path / 'flag'}")
    with pytest.raises(RuntimeError, match="(?s)please report it:.*TypeError: it is ours"):
        begin(template(tmp_path), tmp_path)
    folder = Search.open(tmp_path / "tiny")
    assert folder.info()["status"] == "failed"
    assert len(lasting(folder)) == 2, "it is not filed as a bad trial"
    resume(folder.folder)
    assert lasting(folder) == lasting(calm.folder)


def test_workers_that_do_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", "no_start")
    with pytest.raises(EnvironmentFault, match=r"ended with code 1.*\n.*no module named") as caught:
        begin(template(tmp_path), tmp_path)
    assert caught.value.exit_code == 4


def test_each_worker_sees_one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU they share the threads."""
    folder = Search.create(tmp_path, "x")
    monkeypatch.setattr(local, "gpus", lambda: ["2", "5"])
    executor = LocalExecutor(folder, 3)
    seen = [executor._environment(index)["CUDA_VISIBLE_DEVICES"] for index in range(3)]
    assert seen == ["2", "5", "2"]
    monkeypatch.setattr(local, "gpus", list)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert LocalExecutor(folder, 3)._environment(0)["OMP_NUM_THREADS"] == "2"


# The command.


def command(*arguments: str | Path, cwd: Path, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, stand_in.__file__, "tune", *map(str, arguments)],
        cwd=cwd, env=environment(CUDA_VISIBLE_DEVICES="", **more), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_as_from_a_terminal,
    )  # fmt: skip


def _as_from_a_terminal() -> None:
    """Tests that a script runs in the background have SIGINT ignored, and so would their own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def awaited(what: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("did not come")


def rows_in(out: Path) -> int:
    files = list(out.glob("tiny/tune-*/trials.jsonl"))
    return files[0].read_bytes().count(b"\n") if files else 0


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [1, 2])
def test_kills_change_nothing(tmp_path: Path, workers: int) -> None:
    """Of a worker, of the search, of all of them, at random instants."""
    expected = lasting(begin(template(tmp_path), tmp_path, SearchSettings(workers=workers)).folder)
    draw = random.Random(os.environ.get("ZOO_KILL_SEED", "0"))
    out = tmp_path / "killed"
    file = file_of(tmp_path)
    kills = 0
    while kills < 5:
        folders = list(out.glob("tiny/tune-*/tune.json"))
        begun = ["--resume", folders[0].parent] if folders else [file, "--workers", str(workers)]
        before = rows_in(out)
        process = command(*begun, "--out", out, "-q", cwd=tmp_path, STAND_IN_SECONDS="0.1")
        awaited(lambda: rows_in(out) > before or process.poll() is not None)  # noqa: B023
        time.sleep(draw.uniform(0.0, 0.2))
        if process.poll() is not None:
            process.communicate()
            break
        mine = children(process.pid)
        victims = draw.choice([mine[:1], [process.pid], [*mine, process.pid]])
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        kills += 1
        if process.pid not in victims:
            time.sleep(draw.uniform(0.0, 0.2))
            process.kill()
        process.communicate()
        awaited(lambda: not any(alive(pid) for pid in mine))  # noqa: B023
    assert kills >= 3
    folder = Search.open(out / "tiny")
    if folder.info()["status"] != "done":
        code, _, errors = ended(command("--resume", folder.folder, "--out", out, cwd=tmp_path))
        assert code == 0, errors
    assert lasting(folder) == expected
    assert {row["attempts"] for row in read(folder.trials_file)} > {1}


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(tmp_path: Path, calm: SearchResult, number: signal.Signals) -> None:
    arguments = (file_of(tmp_path), "--out", tmp_path, "--json")
    process = command(*arguments, cwd=tmp_path, STAND_IN_SECONDS="0.2")
    awaited(lambda: rows_in(tmp_path) >= 2)
    mine = children(process.pid)
    process.send_signal(number)
    code, out, errors = ended(process)
    assert code == 130, errors
    said = json.loads(out)
    assert said["error"]["kind"] == "interrupted"
    assert "zoo tune --resume" in said["error"]["message"]
    assert mine
    assert not any(alive(pid) for pid in mine)
    folder = Search.open(tmp_path / "tiny")
    resume(folder.folder)
    assert lasting(folder) == lasting(calm.folder)


def test_what_the_command_says(tmp_path: Path) -> None:
    process = command(file_of(tmp_path), "--out", tmp_path, cwd=tmp_path)
    code, out, errors = ended(process)
    assert code == 0, errors
    folder = Search.open(tmp_path / "tiny")
    for said in ("coarse-000", "confirm-coarse-", "kept 5 of ", f"{RATE} [1e-4, 1] log"):
        assert said in errors
    for said in (f"{RATE}: ", f"zoo train {folder.best_file}", f"trials    {TOTAL} in "):
        assert said in out
    assert len(folder.csv_file.read_text(encoding="utf-8").splitlines()) == TOTAL + 1
    code, out, errors = ended(command("--resume", folder.folder, "--json", cwd=tmp_path))
    assert code == 0
    assert "is done already" in errors
    assert json.loads(out)["best"] == folder.info()["best"]


@pytest.mark.slow
def test_without_a_space_one_is_proposed(tmp_path: Path) -> None:
    given, proposed = with_proposal("digits-tiny", [])
    assert proposed
    process = command("digits-tiny", "--out", tmp_path, "--json", cwd=tmp_path)
    code, out, errors = ended(process)
    assert "note: the recipe has no tune: block; learning rate and weight decay are" in errors
    folder = Search.open(tmp_path / "digits-tiny")
    assert Template(str(folder.recipe_file)).data["tune"] == given.data["tune"]
    assert find("digits-tiny").read_text(encoding="utf-8").count("tune:") == 0


# Workers that train.

REAL: dict[str, Any] = {
    "space": {
        RATE: {"min_value": 1e-2, "max_value": 1.0, "sampling": "log"},
        "model.stack[0].conv.dropout": {"min_value": 0.1, "max_value": 0.5},
    },
    "stages": [{"name": "coarse", "trials": 5, "epochs": 2}],
    "confirm": {"top": 1, "seeds": 2},
    "extend": 0,
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A search with `zoo tune`, undisturbed. Not to be written to."""
    folder = tmp_path_factory.mktemp("searched")
    file = file_of(folder, "train.epochs=3", "train.batch_size=64", **REAL)
    done = zoo("tune", file, "--out", folder, "--json", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["trials"] == 7
    return Search.open(found["folder"])


@pytest.mark.slow
def test_best_recipe_trains_to_what_was_confirmed(searched: Search, tmp_path: Path) -> None:
    best = searched.info()["best"]
    recipe = load(str(searched.best_file))
    run = train(recipe, tmp_path)
    assert run.info()["val_accuracy"] == pytest.approx(
        best["score"], abs=max(4 * best["score_sd"], 0.1)
    )
    assert best["score"] > 0.3


@pytest.mark.slow
def test_a_kept_trial_is_a_run_of_the_score_told(searched: Search) -> None:
    assert len(searched.kept_trials()) == 2
    rows = {row["trial"]: row for row in read(searched.trials_file)}
    for name in searched.kept_trials():
        trained = TrainedRun(Run.open(searched.trial(name).folder))
        accuracy = evaluate(trained, "validation")["accuracy"]
        assert accuracy == pytest.approx(rows[name]["score"], abs=1e-6)
        assert trained.recipe.train.optimizer.options.learning_rate == rows[name]["values"][RATE]


@needs_proc
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_of_a_training_change_nothing(searched: Search, tmp_path: Path) -> None:
    """Of the worker in its third trial, then of the search: the same scores, the same best.yaml."""
    file = file_of(tmp_path, "train.epochs=3", "train.batch_size=64", **REAL)
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "tune", str(file), "--out", str(tmp_path), "-q"],
        cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    awaited(lambda: rows_in(tmp_path) >= 2, 120)
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    awaited(lambda: rows_in(tmp_path) >= 4, 120)
    mine = children(process.pid)
    process.kill()
    process.wait()
    awaited(lambda: not any(alive(pid) for pid in mine))
    folder = Search.open(tmp_path / "tiny")
    assert folder.info()["status"] == "running"
    done = zoo("tune", "--resume", folder, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert lasting(folder) == lasting(searched)
    for key in ("best", "edge_verdicts", "words"):
        assert folder.info()[key] == searched.info()[key]
    text = [one.best_file.read_text(encoding="utf-8") for one in (folder, searched)]
    assert text[0] == text[1]
    assert folder.kept_trials() == searched.kept_trials()
