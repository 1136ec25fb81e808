"""What came of a search, and what its scores depend on, from its files alone."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report import searches
from tests.report.searches import MOMENTUM, OPTIMIZER, RATE, fresh_seeds, pruned, row, stage
from zoo.errors import DamagedFile
from zoo.report.search import importance as importance_module
from zoo.report.search.importance import MIN_TRIALS, importance
from zoo.report.search.outcome import best_of, budget, confirmation, pruning, read
from zoo.report.search.rows import short_names


def test_budget_adds_up_to_all_trials() -> None:
    rows = [row(0), row(1), pruned(2), row(3, "fine", status="diverged", score=None)]
    found = [(each.stage, each.status, each.trials, each.seconds) for each in budget(rows)]
    assert found == [("coarse", "done", 2, 4.0), ("coarse", "pruned", 1, 0.4),
                     ("fine", "diverged", 1, 2.0)]  # fmt: skip


def test_pruning_tells_where_trials_stopped_and_what_that_saved() -> None:
    rows = [row(0), row(1), pruned(2, 1), pruned(3, 3)]
    found = pruning(stage("coarse", 4, "median"), rows)
    assert found is not None
    assert found.fractions == (0.2, 0.4, 0.6, 0.8)
    assert (found.passed, found.pruned) == ((4, 3, 3, 2), (1, 0, 1, 0))
    # 0.4 s were a fifth of 2 s, and 1.2 s three fifths.
    assert found.saved_seconds == pytest.approx(1.6 + 0.8)
    assert pruning(stage("coarse", 4), rows) is None


def test_a_stage_of_pruned_trials_has_no_fractions_yet() -> None:
    found = pruning(stage("coarse", 2, "median"), [pruned(0), pruned(1)])
    assert found is not None
    assert (found.fractions, found.saved_seconds) == ((), 0.0)


def test_confirmation_ranks_by_the_mean_and_a_lost_seed_last(tmp_path: Path) -> None:
    one, two, three = row(1), row(2), row(3, stage="fine+1")
    rows = [one, two, three, *fresh_seeds(one, 0.8, 0.82, 0.81),
            *fresh_seeds(two, 0.99, None), *fresh_seeds(three, 0.9, 0.91, 0.92)]  # fmt: skip
    found = confirmation(read(searches.search(tmp_path / "tune-a", rows)))
    assert [each.trial for each in found] == ["fine+1-003", "coarse-001", "coarse-002"]
    assert [each.diverged for each in found] == [0, 0, 1]
    assert found[0].p_value is None
    assert found[1].p_value is not None
    assert found[1].p_value < 0.01
    assert found[2].p_value is None  # One score has no spread.
    assert found[0].search_score == three["score"]


def test_a_lower_loss_is_better(tmp_path: Path) -> None:
    rows = [
        row(0, score=0.2),
        row(1, score=0.1),
        *fresh_seeds(row(0), 0.3),
        *fresh_seeds(row(1), 0.1),
    ]
    files = read(searches.search(tmp_path / "tune-a", rows, objective="val_loss"))
    best = best_of(files)
    assert best is not None
    assert (best.trial, best.is_final) == ("coarse-001", False)
    assert [each.trial for each in confirmation(files)] == ["coarse-001", "coarse-000"]


def test_best_is_of_the_last_stage_that_has_one(tmp_path: Path) -> None:
    rows = [row(0, score=0.9), row(1, "fine", score=0.8), row(2, "fine", status="pruned", score=1)]
    stages = [stage(name, 2) for name in ("coarse", "fine", "finer")]
    best = best_of(read(searches.search(tmp_path / "tune-a", rows, stages)))
    assert best is not None
    assert best.trial == "fine-001"


def test_a_search_that_was_killed_is_told_from_one_that_runs(tmp_path: Path) -> None:
    rows = [row(0), row(1, attempts=3)]
    made = searches.search(
        tmp_path / "tune-a",
        rows,
        begun=["coarse-000", "coarse-001", "coarse-002"],
        status="running",
    )
    with made.trials_file.open("a") as file:
        file.write('{"trial": "coarse-0')  # As a crash leaves it.
    files = read(made)
    assert (files.state, files.unfinished, files.lost) == ("killed", ["coarse-002"], 2)
    with made.locked():
        assert read(made).state == "running"


def test_edited_files_are_named(tmp_path: Path) -> None:
    made = searches.search(tmp_path / "tune-a", [row(0, status="won")])
    with pytest.raises(DamagedFile, match=r"trials.jsonl:1: status: Expected 'done'"):
        read(made)


def test_importance_finds_what_the_scores_follow() -> None:
    """The scores follow the learning rate alone; diverged trials are those with a high one."""
    rows = [row(index) for index in range(60)]
    rows = [
        {**each, "status": "diverged", "score": None} if each["values"][RATE] > 1 else each
        for each in rows
    ]
    found = importance(stage("coarse", 60), [*rows, *(row(i, "fine") for i in range(9))])
    assert (found.trials, found.reason) == (60, "")
    assert found.r2 is not None
    assert found.r2 > 0.8
    assert [each.path for each in found.importances if each.matters] == [RATE]
    momentum = next(each for each in found.importances if each.path == MOMENTUM)
    assert momentum.trials == sum(MOMENTUM in each["values"] for each in rows) < 60


def test_importance_of_a_word() -> None:
    """That a trial has a momentum tells its optimizer, too, and takes some of the importance."""
    rows = [row(i, score=0.9 if row(i)["values"][OPTIMIZER] == "SGD" else 0.5) for i in range(40)]
    found = importance(stage("coarse", 40), rows)
    assert found.importances[0].path == OPTIMIZER
    assert found.importances[0].value > 0.3
    assert [each.path for each in found.importances if each.matters] == [OPTIMIZER]


def test_importance_is_the_same_of_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.report.search.importance.TREES", 20)
    rows = [row(index) for index in range(30)]
    losses = [{**each, "score": -each["score"]} for each in rows]
    found = importance(stage("coarse", 30), losses, lower_is_better=True)
    assert found == importance(stage("coarse", 30), rows)


def test_r2_is_scikit_learns_out_of_bag_score() -> None:
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    rows = [row(index) for index in range(40)]
    features = [importance_module._features(path, rows) for path in (RATE, OPTIMIZER)]
    ranks = importance_module._ranks([each["score"] for each in rows], lower_is_better=False)
    r2, _ = importance_module._out_of_bag(features, ranks, seed=0)
    forest = RandomForestRegressor(importance_module.TREES, random_state=0, oob_score=True)
    forest.fit(np.concatenate([columns for columns, _ in features], axis=1), ranks)
    assert r2 == pytest.approx(forest.oob_score_)


def test_scores_without_a_cause_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of six stages of noise, no more than one has a hyperparameter that seems to matter."""
    monkeypatch.setattr("zoo.report.search.importance.TREES", 30)
    drawn = random.Random(3)
    found = [
        importance(stage("coarse", 30), [row(i, score=drawn.random()) for i in range(30)])
        for _ in range(6)
    ]
    assert sum(any(each.matters for each in forest.importances) for forest in found) <= 1


@pytest.mark.parametrize(
    "rows, reason",
    [
        ([row(index) for index in range(MIN_TRIALS - 1)], f"{MIN_TRIALS - 1} trials, and it takes"),
        ([row(index, score=0.5) for index in range(MIN_TRIALS)], "equal scores"),
        ([row(index, values={RATE: 1}) for index in range(MIN_TRIALS)], "equal values"),
        ([row(index, status="failed", score=None) for index in range(50)], "0 trials"),
    ],
)
def test_importance_says_when_it_cannot_tell(rows: list[dict[str, object]], reason: str) -> None:
    found = importance(stage("coarse", 50), rows)
    assert reason in found.reason
    assert (found.importances, found.r2) == ((), None)


PATHS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(".".join),
    unique=True, max_size=6,
)  # fmt: skip


@given(PATHS)
@settings(max_examples=50)
def test_short_names_are_ends_that_differ(paths: list[str]) -> None:
    names = short_names(paths)
    assert list(names) == paths
    assert len(set(names.values())) == len(paths)
    for path, name in names.items():
        assert path == name or path.endswith(f".{name}")


def test_spread_of_scores_that_are_not_finite(tmp_path: Path) -> None:
    """JSON has null in the place of infinity."""
    rows = [row(0, status="timeout", score=None), row(1, status="diverged", score=None)]
    files = read(searches.search(tmp_path / "tune-a", rows))
    assert best_of(files) is None
    assert not math.isnan(sum(each.seconds for each in budget(files.rows)))
