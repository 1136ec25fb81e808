"""A search from its first draw to best.yaml."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.disks import failing_from
from tests.tuning import stand_in
from tests.tuning.instant import InstantExecutor
from tests.tuning.searches import SPACE, TOTAL, Recorder, lasting, template
from tests.tuning.stand_in import BEST, RATE
from tuning import search, state
from tuning.executors.base import Event, Finished
from tuning.journal import read
from tuning.search import SearchResult, SearchSettings, begin, resume
from tuning.trials import TrialSpec
from zoo.errors import Diverged, RecipeError, StorageFault
from zoo.recipe import Template, load
from zoo.rundir import Search

pytestmark = pytest.mark.usefixtures("instant")


def test_result(undisturbed: SearchResult) -> None:
    folder = undisturbed.folder
    rows = lasting(folder)
    by_name = {row["trial"]: row for row in rows}
    assert undisturbed.as_json().keys() == {
        "folder", "status", "trials", "best", "edge_verdicts", "words", "best_recipe", "seconds",
    }  # fmt: skip
    json.dumps(undisturbed.as_json(), allow_nan=False)
    assert undisturbed.trials == len(rows) == TOTAL
    assert undisturbed.edge_verdicts == []
    best = undisturbed.best
    assert best.keys() == {
        "trial", "values", "score", "score_sd", "seeds", "never_predicted",
    }  # fmt: skip
    assert best["values"] == by_name[best["trial"]]["values"]
    again = [row for row in rows if row["stage"] == "confirm" and row["values"] == best["values"]]
    assert best["score"] == pytest.approx(fmean(row["score"] for row in again))
    assert best["seeds"] == len(again) == 2
    done = [row for row in rows if row["status"] == "done" and row["stage"] != "confirm"]
    assert max(row["score"] for row in done) <= best["score"] + 1e-3
    assert folder.info()["status"] == "done"
    assert folder.info()["best"] == best
    attempts = [row["trial"] for row in list(read(folder.attempts_file))]
    assert sorted(attempts) == [row["trial"] for row in rows]


def test_best_recipe_is_the_one_given_with_the_best_values(undisturbed: SearchResult) -> None:
    text = undisturbed.folder.best_file.read_text(encoding="utf-8")
    assert text.startswith(f"# zoo tune: {undisturbed.best['score']:.4f} ± ")
    recipe = load(str(undisturbed.folder.best_file))
    given = Template(str(undisturbed.folder.recipe_file))
    assert recipe == given.filled(undisturbed.best["values"])
    assert recipe.train.optimizer.options.learning_rate == undisturbed.best["values"][RATE]


def test_stages_go_from_coarse_to_fine(undisturbed: SearchResult) -> None:
    coarse, fine = undisturbed.folder.info()["stages"]
    assert (coarse["prune"], fine["prune"]) == ("median", "none")
    assert (coarse["finished"], fine["finished"]) == (8, 6)
    old, new = coarse["space"][RATE], fine["space"][RATE]
    assert old["min_value"] <= new["min_value"] < BEST < new["max_value"] <= old["max_value"]
    assert new["max_value"] / new["min_value"] < old["max_value"] / old["min_value"]
    rows = lasting(undisturbed.folder)
    for stage in (coarse, fine):
        trials = [row for row in rows if row["stage"] == stage["name"]]
        limits = stage["space"][RATE]
        assert all(
            limits["min_value"] <= row["values"][RATE] <= limits["max_value"] for row in trials
        )
        assert {row["wanted_epochs"] for row in trials} == {stage["epochs"]}
        assert len({row["seed"] for row in trials}) == 1
    seeds = {row["seed"] for row in rows if row["stage"] == "confirm"}
    assert len(seeds) == 2
    assert seeds.isdisjoint(row["seed"] for row in rows if row["stage"] != "confirm")


class LastFirst(InstantExecutor):
    """Ends the trials that run beside each other in the opposite order."""

    def events(self, timeout: float) -> Iterator[Event]:
        finished = [event for event in self._events if isinstance(event, Finished)]
        others = [event for event in self._events if not isinstance(event, Finished)]
        self._events = deque([*others, *reversed(finished)])
        return super().events(timeout)


def test_equal_scores_are_not_ranked_by_who_ends_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = stand_in.score_of
    monkeypatch.setattr(stand_in, "score_of", lambda *of: round(plain(*of), 1))
    settings = SearchSettings(workers=3)
    first = begin(template(tmp_path), tmp_path / "first", settings)
    scores = [row["score"] for row in lasting(first.folder)]
    assert len({*scores}) < len(scores) / 2
    monkeypatch.setattr(search, "LocalExecutor", LastFirst)
    last = begin(template(tmp_path), tmp_path / "last", settings)
    assert lasting(last.folder) == lasting(first.folder)
    assert last.best == first.best
    order = [[row["trial"] for row in read(each.folder.trials_file)] for each in (first, last)]
    assert order[0] != order[1]


def test_only_the_best_of_each_stage_are_kept(tmp_path: Path) -> None:
    result = begin(template(tmp_path, keep=2), tmp_path)
    rows = lasting(result.folder)
    expected = []
    for stage in ("coarse", "fine", "confirm"):
        done = [row for row in rows if row["stage"] == stage and row["status"] == "done"]
        done.sort(key=lambda row: (-row["score"], row["index"]))
        expected += [row["trial"] for row in done[:2]]
    assert result.folder.kept_trials() == sorted(expected)


def test_a_range_that_misses_the_optimum_is_left(tmp_path: Path) -> None:
    space = {RATE: {"min_value": 1e-6, "max_value": 1e-4, "sampling": "log"}}
    result = begin(template(tmp_path, space=space, extend=3), tmp_path)
    assert result.best["values"][RATE] > 1e-3
    verdict = result.edge_verdicts[0]
    assert f"best {RATE} " in verdict or "scores rise" in verdict
    assert "[1e-6, 1e-4]: extended to 1e-3" in verdict
    assert [stage["name"] for stage in result.folder.info()["stages"]][:3] == [
        "coarse", "fine", "fine+1",
    ]  # fmt: skip


def test_the_lowest_loss_is_best(tmp_path: Path) -> None:
    """The search compares negated losses; rows and files have the loss."""
    result = begin(template(tmp_path, objective="val_loss"), tmp_path)
    rows = lasting(result.folder)
    assert all(row["score"] < 0 for row in rows), "the stand-in's score, negated"
    confirmed = [row for row in rows if row["stage"] == "confirm"]
    means = [
        fmean(other["score"] for other in confirmed if other["values"] == row["values"])
        for row in confirmed
    ]
    assert result.best["score"] == pytest.approx(min(means))
    assert load(str(result.folder.best_file)).train.monitor == "val_loss"


@pytest.mark.parametrize(
    "changes, measured, objective",
    [
        ({}, "val_accuracy", "val_accuracy"),
        ({}, "val_balanced_accuracy", "val_balanced_accuracy"),
        ({"objective": "val_accuracy"}, "val_balanced_accuracy", "val_accuracy"),
        (
            {"space": {**SPACE, "train.class_weight": {"values": ["none", "balanced"]}}},
            "val_accuracy",
            "val_balanced_accuracy",
        ),
    ],
)
def test_objective_that_the_data_choose(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    measured: str,
    objective: str,
) -> None:
    """The worker says what the data ask for; a word of the recipe precedes it."""
    ready = replace(stand_in.ready(), monitor=measured, balanced_images=100.0)
    monkeypatch.setattr(stand_in, "ready", lambda: ready)
    stages = [{"name": "only", "trials": 3, "epochs": 1}]
    given = template(tmp_path, stages=stages, confirm="none", extend=0, **changes)
    result = begin(given, tmp_path)
    assert result.folder.info()["objective"] == objective
    error = 100 if objective == "val_balanced_accuracy" else 10_000
    for row in lasting(result.folder):
        expected = (row["score"] * (1 - row["score"]) / error) ** 0.5
        assert row["se"] == pytest.approx(expected)
    monitor = load(str(result.folder.best_file)).train.monitor
    left = not changes and objective == "val_accuracy"
    assert monitor == ("auto" if left else objective)


@pytest.mark.parametrize("oracle", ["bayesian", "hyperband"])
def test_other_oracles(tmp_path: Path, oracle: str) -> None:
    trials = 14 if oracle == "hyperband" else 5
    stages = [{"name": "only", "trials": trials, "epochs": 4, "oracle": oracle}]
    given = template(tmp_path, stages=stages, confirm="none", extend=0)
    result = begin(given, tmp_path, SearchSettings(workers=2))
    rows = lasting(result.folder)
    assert len(rows) == trials
    epochs = {row["wanted_epochs"] for row in rows}
    assert (max(epochs) == 4 and len(epochs) > 1) if oracle == "hyperband" else epochs == {4}
    assert (result.best["score_sd"], result.best["seeds"]) == (None, 1)
    again = begin(given, tmp_path / "again", SearchSettings(workers=2))
    assert lasting(again.folder) == rows


def test_a_short_list_is_exhausted(tmp_path: Path) -> None:
    space = {RATE: {"values": [0.01, 0.1, 1.0]}}
    result = begin(template(tmp_path, space=space, confirm="none", extend=0), tmp_path)
    coarse, fine = result.folder.info()["stages"]
    assert (coarse["exhausted"], coarse["finished"]) == (True, 3)
    assert (fine["exhausted"], fine["finished"]) == (True, 3)
    assert result.best["values"] == {RATE: 0.01}


def test_values_that_make_no_network_are_drawn_again(tmp_path: Path) -> None:
    """No trial is spent on a pool that is larger than its 8 x 8 images."""
    pool = "model.stack[0].conv.pool"
    sizes = [{"max": {"pool_size": size}} for size in (2, 20, 30)]
    space = {**SPACE, pool: {"values": sizes}}
    result = begin(template(tmp_path, space=space, confirm="none", extend=0), tmp_path)
    rows = lasting(result.folder)
    assert {row["values"][pool]["max"]["pool_size"] for row in rows} == {2}
    assert [row["index"] for row in rows if row["stage"] == "coarse"] == list(range(8))
    assert result.folder.info()["stages"][0]["redrawn"] > 0


def test_a_space_without_a_network_is_a_recipe_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.trial_source.MAX_REDRAWS", 20)
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
    result = begin(template(tmp_path, space=space, stages=stages, extend=0), tmp_path)
    rows = [row for row in lasting(result.folder) if row["stage"] == "only"]
    diverged = [row for row in rows if row["status"] == "diverged"]
    assert len(rows) == 30
    assert len(diverged) > 8
    assert all(row["score"] is None for row in diverged)
    assert {row["reason"] for row in diverged} == {"diverged at step 3"}


def test_time_is_up(interrupted: Search) -> None:
    """The result is what was found by then, and says that it is not confirmed."""
    result = resume(interrupted.folder, overrides=["tune.max_minutes=1e-6"])
    assert result.trials == 3
    message = "out of time before the best could be trained again: one trial may be luck"
    assert result.words == [message]
    assert "in one trial, not confirmed" in interrupted.best_file.read_text(encoding="utf-8")
    rate = load(str(interrupted.best_file)).train.optimizer.options.learning_rate
    assert rate == result.best["values"][RATE]


def test_no_time_at_all(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="no trial was run.*give it more time"):
        begin(template(tmp_path, max_minutes=1e-9), tmp_path)


class Clock(Recorder):
    """A clock that advances by a second with each trial."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def started(self, spec: TrialSpec) -> None:
        self.now += 1.0


def test_a_stage_that_time_cut_stays_as_it_was_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more time, the stages after it go on, drawn from what was known then."""
    clock = Clock()
    monkeypatch.setattr(state, "time", clock)
    settings = SearchSettings(listener=clock)
    stages = [{"name": name, "trials": 50, "epochs": 1} for name in ("coarse", "fine")]
    folder = begin(template(tmp_path, stages=stages, max_minutes=0.2), tmp_path, settings).folder
    before = lasting(folder)
    coarse = [row for row in before if row["stage"] == "coarse"]
    assert len(coarse) == 6, "half of the time"
    assert len(before) > 8
    given = template(tmp_path / "more", stages=stages, max_minutes=0.5)
    resume(folder.folder, settings, given)
    after = lasting(folder)
    assert [row for row in after if row["stage"] == "coarse"] == coarse
    assert len(after) > len(before)
    assert {row["trial"] for row in after} >= {row["trial"] for row in before}


@pytest.mark.parametrize("write", [1, 2, 3, 6, 19])
def test_a_full_disk_loses_no_trial(undisturbed: SearchResult, tmp_path: Path, write: int) -> None:
    """Every trial costs two rows of journals and tune.json; a disk may fail at each."""
    given = template(tmp_path)
    with failing_from(write), pytest.raises(StorageFault) as caught:
        begin(given, tmp_path)
    assert "cannot be written: no space is left on the disk" in caught.value.message
    folders = list(tmp_path.glob("tiny/tune-*"))
    if not folders:
        assert caught.value.message.endswith("No trial was begun; nothing is kept.")
        return
    assert caught.value.message.endswith(f"Then resume with: zoo tune --resume {folders[0]}")
    result = resume(folders[0])
    assert lasting(result.folder) == lasting(undisturbed.folder)
    assert result.best == undisturbed.best
