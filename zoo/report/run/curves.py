"""Metrics of a run by epoch. Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.report import figures
from zoo.report.blocks import Block, Columns, Section
from zoo.report.run.source import RunSource, number_of

# Title, caption, (name of a curve, key of a row), whether shares, whether logarithmic.
FIGURES: tuple[tuple[str, str, tuple[tuple[str, str], ...], bool, bool], ...] = (
    (
        "Loss",
        "With augmentation, dropout and penalties for training, without for validation.",
        (("training", "loss"), ("validation", "val_loss")),
        False,
        False,
    ),
    (
        "Accuracy",
        "Share of images that are right.",
        (("training", "accuracy"), ("validation", "val_accuracy")),
        True,
        False,
    ),
    (
        "Learning rate",
        "At the end of each epoch.",
        (("learning rate", "learning_rate"),),
        False,
        False,
    ),
    (
        "Update ratio",
        "Size of a step's change over the size of the kernels: about 0.001 is usual.",
        (("update ratio", "update_ratio"),),
        False,
        True,
    ),
)


def section(source: RunSource) -> Section:
    """Return the section of the curves."""
    rows = source.rows
    if not rows:
        missing = source.missing("The metrics by epoch are missing", "metrics")
        return Section("Curves", [missing])
    epochs = [row["epoch"] for row in rows]
    blocks: list[Block] = []
    for title, caption, curves, is_metric, log in FIGURES:
        values = [(name, [number_of(row, key) for row in rows]) for name, key in curves]
        known = [(name, column) for name, column in values if any(v is not None for v in column)]
        if known:
            blocks.append(
                figures.lines(
                    title,
                    caption,
                    "epoch",
                    epochs,
                    known,
                    is_metric=is_metric,
                    log=log,
                    layout=_layout(epochs, source, is_metric=is_metric),
                )
            )
    best = source.info.get("best_epoch")
    lead = f"The dotted line is the best epoch, {best}, whose model the run keeps." if best else ""
    if not any(number_of(row, "val_loss") is not None for row in rows):
        lead = "No epoch was validated."
    return Section("Curves", [Columns(blocks)] if blocks else [_none(source)], lead)


def _none(source: RunSource) -> Block:
    return source.missing("The metrics by epoch hold no numbers", "metrics")


def _layout(epochs: Sequence[int], source: RunSource, *, is_metric: bool) -> dict[str, Any]:
    """A line at the best epoch; axes of whole epochs."""
    layout: dict[str, Any] = {"hovermode": "x unified"}
    axis: dict[str, Any] = {"title": {"text": "epoch"}, "tickformat": "d"}
    if len(epochs) <= 10:
        axis |= {"dtick": 1}
    best = source.info.get("best_epoch")
    if best:
        layout["shapes"] = [
            {
                "type": "line",
                "x0": best,
                "x1": best,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": "var(--soft)", "width": 1.5, "dash": "dot"},
            }
        ]
    layout["xaxis"] = axis
    if is_metric:
        layout["yaxis"] = {"hoverformat": ".4f", "title": {"text": ""}}
    return layout
