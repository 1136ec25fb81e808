"""The metrics of validation that choose the best epoch, or the best trial of a search. Light."""

from __future__ import annotations

from typing import Literal

# Metrics in which every class counts alike, however many images it has; `zoo.class_metrics`.
CLASS_METRICS = ("balanced_accuracy", "f1", "recall", "auc")
Monitor = Literal[
    "val_accuracy", "val_loss", "val_balanced_accuracy", "val_f1", "val_recall", "val_auc"
]
# In one Literal: an error lists its words.
AutoMonitor = Literal[
    "auto", "val_accuracy", "val_loss", "val_balanced_accuracy", "val_f1", "val_recall", "val_auc"
]


def lower_is_better(monitor: str) -> bool:
    """Whether a metric of validation improves by falling: a loss does, all others rise."""
    return monitor == "val_loss"


def weighs_classes_alike(monitor: str) -> bool:
    """Whether each class counts the same in a metric, however few images it has."""
    return monitor.removeprefix("val_") in CLASS_METRICS
