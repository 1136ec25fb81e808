"""Rows of a journal for tests."""

from __future__ import annotations

from typing import Any

from tuning.trials import TrialRecord


def record(trial: str, **changed: Any) -> TrialRecord:
    """A finished trial; its stage and index are those of its name."""
    stage, _, index = trial.rpartition("-")
    fields: dict[str, Any] = {
        "stage": stage, "index": int(index), "values": {}, "status": "done", "score": 0.5,
        "epochs": 1, "wanted_epochs": 1, "seed": 0,
    }  # fmt: skip
    return TrialRecord(trial=trial, **{**fields, **changed})
