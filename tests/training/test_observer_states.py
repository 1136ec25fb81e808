"""States of observers and callbacks: found again by class and order, and under former names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.errors import DamagedFile
from zoo.rundir import Run
from zoo.training import observer_states
from zoo.training.best_model import BestModel
from zoo.training.epoch_records import BestEpoch
from zoo.training.fit_callbacks import StepLosses
from zoo.training.observers import Observer


class Counts(Observer):
    """Holds a number."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def get_state(self) -> dict[str, Any]:
        return {"number": self.number}

    def set_state(self, state: dict[str, Any]) -> None:
        self.number = state["number"]


class Plain:
    """A Keras callback that knows nothing of states."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.array = [1, 2]


def test_the_second_of_a_class_takes_the_second_state() -> None:
    """Others between them, and new ones that have no state yet, change nothing."""
    targets = [Plain(0), Counts(), Counts(), Counts(7)]
    observer_states.restore(targets, [["Counts", {"number": 1}], ["Plain", {"number": 5}],
                                   ["Counts", {"number": 2}], ["Gone", {}]])  # fmt: skip
    assert [each.number for each in targets] == [5, 1, 2, 7]


def test_plain_numbers_are_the_state_of_a_callback_without_one() -> None:
    assert observer_states.state_of(Plain(3)) == {"number": 3}
    assert observer_states.state_of(Observer()) is None


def test_names_of_earlier_releases() -> None:
    """`Watch` also held what recovers the losses of steps."""
    losses, best = StepLosses(lambda step: 1), BestEpoch("val_loss", lambda model: None)
    state = {"score": [-0.5, 0.9], "epoch": 3, "values": {"val_loss": 0.5}}
    watch = {"first_loss": 2.0, "recent": [], "sum": 6.0, "seen": 3}
    observer_states.restore([losses, best], [["Watch", watch], ["Best", state]])
    assert (losses.sum, losses.seen) == (6.0, 3)
    assert (best.epoch, best.score, best.values) == (3, -0.5, {"val_loss": 0.5})


def test_what_keeps_the_best_model_finds_the_state_of_the_best_epoch(tmp_path: Path) -> None:
    """Under the name of the class that did it before: stopped runs hold that name."""
    state = {"score": [-0.5, 0.9], "epoch": 3, "values": {"val_loss": 0.5}}
    best = BestModel(Run.create(tmp_path, "a"), "val_loss")
    assert observer_states.name_of(best) == "BestEpoch"
    observer_states.restore([best], [["BestEpoch", state]])
    assert best.epoch == 3
    with pytest.raises(DamagedFile, match="BestEpoch .it is missing"):
        observer_states.restore([best], [])


@pytest.mark.parametrize(
    "change, part",
    [
        (
            {"score": ["high", 0.9]},
            "score.0: Expected a valid number. Received .high",
        ),
        ({"epoch": None}, "Expected score and epoch, or neither"),
        ({"values": 3}, "values: Expected an object. Received 3"),
    ],
)
def test_an_edited_state(change: dict[str, Any], part: str) -> None:
    best = BestEpoch("val_loss", lambda model: None)
    state = {"score": [-0.5, 0.9], "epoch": 3, "values": {"val_loss": 0.5}, **change}
    with pytest.raises(DamagedFile, match=part):
        observer_states.restore([best], [["BestEpoch", state]])


def test_a_state_that_is_missing() -> None:
    best = BestEpoch("val_loss", lambda model: None)
    with pytest.raises(DamagedFile, match="does not fit BestEpoch .it is missing"):
        observer_states.restore([best], [])


def test_a_callback_of_the_users_with_another_type() -> None:
    with pytest.raises(DamagedFile, match="Plain .number: Expected int. Received str"):
        observer_states.restore([Plain(3)], [["Plain", {"number": "three"}]])
