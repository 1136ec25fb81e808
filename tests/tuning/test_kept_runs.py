"""Which run folders a search keeps."""

from __future__ import annotations

from pathlib import Path

from tests.tuning import stand_in
from tests.tuning.records import record
from tuning.journal import TrialJournal
from tuning.kept_runs import KeptRuns
from zoo.rundir import Search


def kept_runs(folder: Search, count: int, **scores: float) -> KeptRuns:
    """Those of a search whose trials have these scores, and all a run folder."""
    journal = TrialJournal(folder)
    for name, score in scores.items():
        trial = name.replace("_", "-")
        journal.append(record(trial, score=score))
        stand_in.keep(folder.trial(trial).folder)
    return KeptRuns(folder, journal, count, "val_accuracy")


def test_only_the_best_of_a_stage_stay(tmp_path: Path) -> None:
    folder = Search.create(tmp_path, "x")
    scores = {"coarse_0": 0.5, "coarse_1": 0.7, "coarse_2": 0.7, "fine_0": 0.1}
    kept_runs(folder, 2, **scores).tidy("coarse-")
    assert folder.kept_trials() == ["coarse-1", "coarse-2", "fine-0"]


def test_the_seeds_of_each_confirmed_trial_are_a_group(tmp_path: Path) -> None:
    folder = Search.create(tmp_path, "x")
    names = ("confirm_fine_0_1", "confirm_fine_0_2", "confirm_fine_1_1", "confirm_fine_1_2")
    runs = kept_runs(folder, 1, **dict(zip(names, (0.1, 0.2, 0.9, 0.8), strict=True)))
    for trial in ("confirm-fine-0-2", "confirm-fine-1-2"):
        runs.tidy(trial)
    assert folder.kept_trials() == ["confirm-fine-0-2", "confirm-fine-1-1"]


def test_a_finished_trial_is_wanted_if_it_is_among_the_best(tmp_path: Path) -> None:
    runs = kept_runs(Search.create(tmp_path, "x"), 1, coarse_0=0.5)
    assert runs.is_wanted(record("coarse-1", score=0.6))
    assert not runs.is_wanted(record("coarse-1", score=0.5)), "ties: the first one"
    assert not runs.is_wanted(record("coarse-1", score=0.6, status="pruned"))
    assert runs.is_wanted(record("fine-0", score=0.1))
