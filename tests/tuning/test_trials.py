"""Rows of trials.jsonl are what they were, and come back as records."""

from __future__ import annotations

import json

import pytest

from tests.tuning.records import record
from tuning.trials import TrialRecord, best_first, best_with_different_values

# The keys of a row in their order: a contract with old searches and users' scripts.
KEYS = [
    "trial", "stage", "index", "values", "status", "score", "se", "reason", "epochs",
    "wanted_epochs", "best_epoch", "steps", "seconds", "setup_seconds", "seed", "attempts",
    "started", "ended", "rungs", "curve", "never_predicted",
]  # fmt: skip


def test_keys_of_a_row() -> None:
    assert list(record("coarse-000").to_json()) == KEYS


def test_rows_come_back() -> None:
    trial = record("coarse-003", values={"a": 0.1}, rungs={4: 0.5}, curve=[{"epoch": 1}], se=0.1)
    row = json.loads(json.dumps(trial.to_json()))
    assert list(row["rungs"]) == ["4"]
    assert TrialRecord.from_json(row) == trial
    assert TrialRecord.from_json({**row, "unknown": 1}) == trial


def test_rows_of_a_search_that_wrote_less() -> None:
    """The keys that a journal requires are enough."""
    row = {key: record("coarse-003").to_json()[key] for key in KEYS}
    for key in ("se", "reason", "wanted_epochs", "attempts", "started", "ended", "curve"):
        del row[key]
    assert TrialRecord.from_json(row).reason is None


def test_best_first() -> None:
    trials = [
        record("x-000", score=0.5), record("x-001", score=0.7), record("x-002", score=None),
        record("x-003", score=0.7),
    ]  # fmt: skip
    names = [trial.trial for trial in best_first(reversed(trials), "val_accuracy")]
    assert names == ["x-001", "x-003", "x-000"]
    names = [trial.trial for trial in best_first(trials, "val_loss")]
    assert names == ["x-000", "x-001", "x-003"]


def test_best_with_different_values() -> None:
    trials = [
        record("fine-000", score=0.7, values={"a": 1}),
        record("fine-001", score=0.9, status="pruned", values={"a": 2}),
        record("fine-002", score=None, values={"a": 3}),
        record("coarse-000", score=0.8, values={"a": 4}),
        record("coarse-001", score=0.7, values={"a": 5}),
        record("coarse-002", score=0.6, values={"a": 4}),
        record("coarse-003", score=0.5, values={"a": 6}),
    ]
    best = best_with_different_values(trials, "val_accuracy", 9)
    assert [each.trial for each in best] == ["coarse-000", "fine-000", "coarse-001", "coarse-003"]
    assert best_with_different_values(trials, "val_accuracy", 2) == best[:2]
    losses = best_with_different_values(trials, "val_loss", 2)
    assert [each.trial for each in losses] == ["coarse-003", "coarse-002"]


def test_rules_compare_negated_losses() -> None:
    assert record("x-000", score=0.7).scored("val_loss").score == -0.7
    assert record("x-000", score=0.7, se=0.1).scored("val_accuracy").se == 0.1
    with pytest.raises(ValueError, match="trial x-000 has no score"):
        record("x-000", score=None).scored("val_loss")
