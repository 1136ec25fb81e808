"""Searches whose workers train."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.runs import zoo
from tests.tuning.processes import (
    alive,
    children,
    finished_trials,
    needs_proc,
    tune,
    wait_until,
)
from tests.tuning.searches import RATE, lasting, recipe_file
from tuning.journal import read_trials
from zoo.artifact.trained_run import TrainedRun
from zoo.evaluate import evaluate
from zoo.recipe import load
from zoo.rundir import Run, Search
from zoo.training import train

pytestmark = pytest.mark.slow

OVERRIDES = ("train.epochs=3", "train.batch_size=64")
TUNE: dict[str, Any] = {
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
    file = recipe_file(folder, *OVERRIDES, **TUNE)
    done = zoo("tune", file, "--out", folder, "--json", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["trials"] == 7
    return Search.open(result["folder"])


def test_best_recipe_trains_to_what_was_confirmed(searched: Search, tmp_path: Path) -> None:
    best = searched.info()["best"]
    run = train(load(str(searched.best_file)), tmp_path)
    assert run.info()["val_accuracy"] == pytest.approx(
        best["score"], abs=max(4 * best["score_sd"], 0.1)
    )
    assert best["score"] > 0.3


def test_a_kept_trial_is_a_run_with_its_score(searched: Search) -> None:
    assert len(searched.kept_trials()) == 2
    records = {record.trial: record for record in read_trials(searched)}
    for name in searched.kept_trials():
        trained = TrainedRun(Run.open(searched.trial(name).folder))
        accuracy = evaluate(trained, "validation")["accuracy"]
        assert accuracy == pytest.approx(records[name].score, abs=1e-6)
        assert trained.recipe.train.optimizer.options.learning_rate == records[name].values[RATE]


@needs_proc
@pytest.mark.timeout(600)
def test_kills_of_a_training_change_nothing(searched: Search, tmp_path: Path) -> None:
    """Of the worker in its third trial, then of the search: the same scores and best.yaml."""
    file = recipe_file(tmp_path, *OVERRIDES, **TUNE)
    process = tune(file, "--out", tmp_path, "-q", cwd=tmp_path, stand_ins=False)
    wait_until(lambda: finished_trials(tmp_path) >= 2, 120)
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: finished_trials(tmp_path) >= 4, 120)
    workers = children(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(alive(pid) for pid in workers))
    folder = Search.open(tmp_path / "tiny")
    assert folder.info()["status"] == "running"
    done = zoo("tune", "--resume", folder, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert lasting(folder) == lasting(searched)
    for key in ("best", "edge_verdicts", "words"):
        assert folder.info()[key] == searched.info()[key]
    texts = [search.best_file.read_text(encoding="utf-8") for search in (folder, searched)]
    assert texts[0] == texts[1]
    assert folder.kept_trials() == searched.kept_trials()
