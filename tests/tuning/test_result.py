"""The winner of a search, and what is said where there is none."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tuning.records import record
from tests.tuning.searches import RATE, template
from tuning.confirm import Confirmed
from tuning.result import confirmed_winner, naming_all, no_result, unconfirmed_winner, write_best
from zoo.errors import Diverged
from zoo.recipe import load
from zoo.rundir import Search

FOLDER = Search(Path("runs/x"))


def test_a_confirmed_winner() -> None:
    confirmed = [Confirmed({"a": 1}, (-0.5, -0.7), "x-000"), Confirmed({"a": 2}, (-0.4,), "x-001")]
    best = record("x-001", score=0.3)
    winner = confirmed_winner(
        confirmed, best, [best, record("x-009", stage="confirm")], "val_loss", FOLDER
    )
    assert winner.info == {
        "trial": "x-001", "values": {"a": 2}, "score": 0.4, "score_sd": None, "seeds": 1,
    }  # fmt: skip
    assert winner.headline == "0.4000 val_loss (n=1)"
    assert winner.messages[-1].startswith("0.3000 in the search was the luckiest of 1 draws")


def test_all_confirmed_trials_diverged() -> None:
    confirmed = [Confirmed({}, (0.5, -math.inf), "x-000")]
    with pytest.raises(Diverged, match="every confirmed trial diverged with at least one seed"):
        confirmed_winner(confirmed, record("x-000"), [], "val_accuracy", FOLDER)


@pytest.mark.parametrize("confirm, messages", [(None, 0), (SimpleNamespace(top=1), 1)])
def test_an_unconfirmed_winner(confirm: Any, messages: int) -> None:
    """Without a word if no confirmation was wanted."""
    tune: Any = SimpleNamespace(objective="val_accuracy", confirm=confirm)
    winner = unconfirmed_winner(record("x-000", score=0.5), tune)
    assert winner.headline == "0.5000 val_accuracy in one trial, not confirmed"
    assert len(winner.messages) == messages


def test_a_winner_that_never_names_a_class(tmp_path: Path) -> None:
    """Of its trainings with fresh seeds, if there are any; other trials do not matter."""
    recipe = template(tmp_path).recipe
    tune: Any = SimpleNamespace(objective="val_accuracy", confirm=None)
    best = record("x-001", never_predicted=["dog"])
    records = [record("x-000", never_predicted=["cat"]), best]
    alone = naming_all(unconfirmed_winner(best, tune), records, recipe, "val_accuracy")
    assert alone.info["never_predicted"] == ["dog"]
    assert alone.messages == [
        "warning: trial x-001: no validation image was taken for dog (recall 0). Search again with "
        "train.class_weight: balanced or tune.objective: val_balanced_accuracy or more epochs"
    ]
    records += [
        record("confirm-x-001-1", stage="confirm", never_predicted=["cat", "owl"]),
        record("confirm-x-001-2", stage="confirm"),
        record("confirm-x-000-1", stage="confirm", never_predicted=["dog"]),
    ]
    weighted = recipe.train.model_copy(update={"class_weight": "balanced"})
    recipe = recipe.model_copy(update={"train": weighted})
    confirmed = naming_all(unconfirmed_winner(best, tune), records, recipe, "val_f1")
    assert confirmed.info["never_predicted"] == ["cat", "owl"]
    (warning,) = confirmed.messages
    assert "trial x-001 with 1 of 2 seeds: " in warning
    assert warning.endswith("Search again with more epochs")
    named = naming_all(unconfirmed_winner(records[-2], tune), records, recipe, "val_f1")
    assert (named.info["never_predicted"], named.messages) == ([], [])


def test_best_yaml(tmp_path: Path) -> None:
    given = template(tmp_path, objective="val_loss")
    tune = given.recipe.tune
    assert tune is not None
    winner = unconfirmed_winner(record("x-000", values={RATE: 0.05}), tune)
    folder = Search.create(tmp_path, "x")
    write_best(folder, given, tune, winner, 9)
    lines = folder.best_file.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [
        "# zoo tune: 0.5000 val_loss in one trial, not confirmed, of 9 trainings.",
        "# Found:",
        f"#   {RATE}: 0.05",
    ]
    recipe = load(str(folder.best_file))
    assert recipe.train.optimizer.options.learning_rate == 0.05
    assert recipe.train.monitor == "val_loss"


@pytest.mark.parametrize(
    "statuses, parts",
    [
        ([], ["no trial was run", "tune.max_minutes"]),
        (["diverged"], ["1 of 1 are diverged", "Lower min_value"]),
        (["timeout", "timeout", "failed"], ["2 of 3 are timeout", "tune.trial_minutes"]),
        (["pruned"], ["1 of 1 are pruned", "Set prune: none"]),
    ],
)
def test_advice_where_no_trial_came_to_its_end(statuses: list[str], parts: list[str]) -> None:
    records = [record(f"x-{index}", status=status) for index, status in enumerate(statuses)]
    for part in parts:
        assert part in no_result(FOLDER, records)
