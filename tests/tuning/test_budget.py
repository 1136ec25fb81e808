"""How the time of a search is shared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.tuning.records import record
from tuning.budget import TimeBudget, confirmation_seconds


def tune(**changed: Any) -> Any:
    confirm = SimpleNamespace(top=2, seeds=3)
    return SimpleNamespace(**{"objective": "val_accuracy", "confirm": confirm, **changed})


def test_without_a_limit() -> None:
    budget = TimeBudget(None, elapsed=lambda: 1e9, reserve=lambda: 0.0)
    budget.begin_stage(0.5)
    assert budget.left() is None
    assert not budget.is_spent()


def test_stages_share_what_the_confirmation_leaves() -> None:
    now = [0.0]
    budget = TimeBudget(100.0, elapsed=lambda: now[0], reserve=lambda: 20.0)
    budget.begin_stage(0.25)
    assert budget.left() == 20.0
    now[0] = 20.0
    assert budget.is_spent()
    assert not budget.is_spent(confirming=True)
    budget.begin_stage(1.0)
    assert budget.left() == 60.0
    assert budget.left(confirming=True) == 80.0
    assert budget.ran_out, "once, for a stage"


def test_the_reserve_is_half_of_the_limit_at_most() -> None:
    budget = TimeBudget(100.0, elapsed=lambda: 10.0, reserve=lambda: 1e6)
    assert budget.left() == 40.0


def test_a_confirmation_takes_as_long_as_the_slowest_of_the_best() -> None:
    records = [
        record("x-000", score=0.9, seconds=2.0, epochs=2),
        record("x-001", score=0.8, seconds=6.0, epochs=2, setup_seconds=1.0),
        record("x-002", score=0.7, seconds=60.0, epochs=2),
        record("x-003", score=0.95, seconds=60.0, epochs=2, status="pruned"),
    ]
    assert confirmation_seconds(records, tune(), epochs=10, workers=1) == pytest.approx(31 * 6)
    assert confirmation_seconds(records, tune(), epochs=10, workers=4) == pytest.approx(31 * 2)
    assert confirmation_seconds([], tune(), epochs=10, workers=1) == 0.0
    assert confirmation_seconds(records, tune(confirm=None), epochs=10, workers=1) == 0.0
