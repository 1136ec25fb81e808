"""Curves of several runs over each other. Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.report.blocks import Figure
from zoo.report.figures import (
    DASHES,
    line_trace,
    log_axis,
    plain,
    points_of_each,
    series_colour,
    table_of,
)
from zoo.report.several.groups import Group
from zoo.report.several.summary import SeveralSummary
from zoo.report.several.trainings import Training

# Key of metrics.jsonl -> title, whether it lies between 0 and 1, whether its axis is logarithmic.
CURVES = {
    "val_accuracy": ("Validation accuracy", True, False),
    "val_loss": ("Validation loss", False, False),
    "accuracy": ("Training accuracy", True, False),
    "loss": ("Training loss", False, False),
    "learning_rate": ("Learning rate", False, True),
}
MAX_LEGEND = 16  # Runs that are named in the legend of a figure.


def curves(summary: SeveralSummary) -> list[Figure]:
    """Return a figure for each metric that a run has; runs of one recipe share a colour."""
    return [
        _curve(summary, key, title, is_metric=is_metric, log=log)
        for key, (title, is_metric, log) in CURVES.items()
        if any(row.get(key) is not None for run in summary.trainings for row in run.rows)
    ]


def _curve(summary: SeveralSummary, key: str, title: str, *, is_metric: bool, log: bool) -> Figure:
    epochs = sorted({row["epoch"] for run in summary.trainings for row in run.rows})
    most = points_of_each(len(summary.trainings))
    one_colour = len(summary.groups) < len(summary.trainings)
    traces: list[dict[str, Any]] = []
    table = []
    for number, group in enumerate(summary.groups):
        for place, training in enumerate(group.trainings):
            values = _values(training, key, epochs)
            trace = line_trace(_name(group, training), epochs, values, number, most=most)
            if one_colour:
                trace["line"] |= {
                    "color": series_colour(number), "dash": DASHES[place % len(DASHES)],
                }  # fmt: skip
            traces.append(trace)
            table.append((training.letter, values))
    if len(traces) > MAX_LEGEND:
        for trace in traces:
            trace["showlegend"] = False
    y_axis: dict[str, Any] = {"title": {"text": title.lower()}}
    if is_metric:
        y_axis["hoverformat"] = ".4f"
    if log:
        y_axis |= log_axis([value for _, values in table for value in values])
    return Figure(
        title,
        "Runs of one recipe have one colour." if one_colour else "",
        f"{title} of {len(traces)} runs over {len(epochs)} epochs. The table has the numbers.",
        traces,
        {"xaxis": {"title": {"text": "epoch"}}, "yaxis": y_axis},
        table_of(title, "epoch", epochs, table, is_metric=is_metric),
        330,
    )


def _values(training: Training, key: str, epochs: Sequence[int]) -> list[float | None]:
    by_epoch = {row["epoch"]: row.get(key) for row in training.rows}
    return [by_epoch.get(epoch) for epoch in epochs]


def _name(group: Group, training: Training) -> str:
    seed = training.info.get("seed")
    name = group.name if len(group.name) <= 30 else f"{group.name[:27]}..."
    return f"{training.letter}  {name}" + ("" if seed is None else f", seed {seed}")


def accuracies(summary: SeveralSummary) -> Figure:
    """Return the accuracy of each run with its interval, and the mean of each recipe."""
    traces: list[dict[str, Any]] = []
    for number, group in enumerate(summary.groups):
        runs = [
            (training, share, interval)
            for training in group.trainings
            if (share := training.accuracy(summary.split)) is not None
            and (interval := training.interval(summary.split)) is not None
        ]
        if not runs:
            continue
        traces.append({
            "type": "scatter", "mode": "markers", "name": plain(f"{group.number}  {group.name}"),
            "x": [share for _, share, _ in runs],
            "y": [plain(f"{training.letter}  {training.name}") for training, _, _ in runs],
            "error_x": {
                "type": "data", "symmetric": False, "thickness": 1.5, "width": 5,
                "array": [high - share for _, share, (_, high) in runs],
                "arrayminus": [share - low for _, share, (low, _) in runs],
                "color": series_colour(number),
            },
            "marker": {"color": series_colour(number), "size": 9},
            "hovertemplate": "%{y}: %{x:.4f}<extra></extra>",
        })  # fmt: skip
    shown = sum(len(trace["x"]) for trace in traces)
    return Figure(
        f"Accuracy on the {summary.split} images",
        "With the 95 % interval that the number of images leaves (Wilson 1927). Intervals that "
        "overlap do not say that two runs are alike: on the same images the test below tells more.",
        f"Accuracy of {shown} runs with intervals. The table has the numbers.",
        traces,
        {
            "xaxis": {"title": {"text": "accuracy"}},
            "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
            "showlegend": len(traces) > 1,
        },
        height=130 + 30 * max(shown, 1),
    )
