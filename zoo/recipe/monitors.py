"""The metrics of validation that choose the best epoch, or the best trial of a search. Light."""

from __future__ import annotations

from typing import Literal

# Metrics in which every class counts alike, however many images it has; `zoo.class_metrics`.
CLASS_METRICS = ("balanced_accuracy", "f1", "recall", "auc")
# Of images with any number of classes: `zoo.multi_label_metrics`.
MULTI_LABEL_METRICS = ("mean_average_precision", "f1", "micro_f1", "recall", "auc")
# Which of them need one class an image, and which any number of classes.
SINGLE_LABEL_ONLY = ("val_balanced_accuracy",)
MULTI_LABEL_ONLY = ("val_mean_average_precision", "val_micro_f1")
Monitor = Literal[
    "val_accuracy",
    "val_loss",
    "val_balanced_accuracy",
    "val_f1",
    "val_recall",
    "val_auc",
    "val_mean_average_precision",
    "val_micro_f1",
]
# In one Literal: an error lists its words.
AutoMonitor = Literal[
    "auto",
    "val_accuracy",
    "val_loss",
    "val_balanced_accuracy",
    "val_f1",
    "val_recall",
    "val_auc",
    "val_mean_average_precision",
    "val_micro_f1",
]


def lower_is_better(monitor: str) -> bool:
    """Whether a metric of validation improves by falling: a loss does, all others rise."""
    return monitor == "val_loss"


def weighs_classes_alike(monitor: str) -> bool:
    """Whether each class counts the same in a metric, however few images it has."""
    return monitor.removeprefix("val_") in (*CLASS_METRICS, "mean_average_precision")
