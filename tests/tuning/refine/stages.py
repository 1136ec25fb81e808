"""Ranges and trials that the tests of the rules share."""

from __future__ import annotations

from typing import Any

from tuning.refine.edges import ScoredTrial
from tuning.space import Range

RATE = "train.optimizer.SGD.learning_rate"
RATES = Range(1e-4, 1.0, "log")


def accepts_all(path: str, value: Any) -> str | None:
    return None


def accepts_below_one(path: str, value: Any) -> str | None:
    return None if value < 1 else "momentum must be below 1"


def trials(values: list[Any], path: str = RATE, se: float = 0.0) -> list[ScoredTrial]:
    """Trials with these values at a path, the best first."""
    return [ScoredTrial({path: value}, -index, se) for index, value in enumerate(values)]
