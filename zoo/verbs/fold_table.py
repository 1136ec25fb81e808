"""The folds of a cross-validation as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.text.columns import columns

# Metrics of several trainings, and what they are called.
NAMES = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "accuracy": "test accuracy",
    "balanced_accuracy": "test balanced accuracy",
    "mean_average_precision": "test mean average precision",
}


def _metric(value: float | None) -> str:
    """A metric; `-` where a fold lacks it: a resume with `--evaluate` came after that fold."""
    return "-" if value is None else f"{value:.4f}"


def table(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """The folds that are done, with their metrics, as text.

    Args:
        rows: of folds.json.
        keys: of the metrics; a fold without one has `-`.
    """
    head = ["fold", "train", "validation", "best epoch", *keys]
    lines = [
        [
            str(row["fold"]), f"{row['train']:,}", f"{row['validation']:,}",
            f"{row['best_epoch']} of {row['epochs']}", *(_metric(row.get(key)) for key in keys),
        ]
        for row in rows
    ]  # fmt: skip
    return columns([head, *lines], right=range(len(head)))
