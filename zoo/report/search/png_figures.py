"""PNG figures of a search: scores over each hyperparameter, the best so far, parallel coordinates.

Rows and stages are those of `zoo.report.search.rows`. Matplotlib is an extra: `[plots]`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from zoo.report import png
from zoo.report.search.axis import BOUNDS, Axis
from zoo.report.search.rows import Row, Stage, active_seconds, score_of, searched

# Marker and fill of a trial by its status, with and without a score to compare.
SCORED_MARKERS = {"done": ("o", "full"), "pruned": ("o", "none")}
UNSCORED_MARKERS = {"diverged": "x", "timeout": "v", "failed": "+"}
UNSCORED_HEIGHT = 0.03  # Fraction of a panel's height at which trials without a score are drawn.
PANEL_SIZE = (4.2, 3.2)  # Inches, width and height.
MAX_COLUMNS = 3


def draw(
    rows: Sequence[Row],
    stages: Sequence[Stage],
    objective: str,
    folder: Path,
    *,
    lower_is_better: bool = False,
) -> list[Path]:
    """Draw the search as PNG files.

    Args:
        rows: its trials.
        stages: in their order.
        objective: label of the score.
        folder: of the files.
        lower_is_better: the score is a loss.

    Returns:
        The files: `scores.png`, the score over each hyperparameter; `best_so_far.png`, the best
        score over the time in which trials ran; `parallel.png`, for each trial a line through its
        values to its score. A figure without anything to draw is left out.

    Raises:
        EnvironmentFault: matplotlib is not installed.
    """
    axes = [Axis(path, rows, stages) for path in searched(rows)]
    finite = [row for row in rows if score_of(row) is not None]
    figures: dict[str, Callable[[Any], None]] = {}
    if axes:
        figures["scores"] = lambda figure: _draw_scores(figure, rows, stages, axes, objective)
    if finite:
        figures["best_so_far"] = lambda figure: _draw_best_so_far(
            figure, rows, objective, lower_is_better
        )
    if axes and finite:
        figures["parallel"] = lambda figure: _draw_parallel(
            figure, finite, axes, objective, lower_is_better
        )
    return png.draw(figures, folder)


def _draw_scores(
    figure: Any, rows: Sequence[Row], stages: Sequence[Stage], axes: Sequence[Axis], objective: str
) -> None:
    columns = min(len(axes), MAX_COLUMNS)
    lines = -(-len(axes) // columns)
    figure.set_size_inches(max(PANEL_SIZE[0] * columns, 6.0), PANEL_SIZE[1] * lines)
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for panel in panels[len(axes) :]:
        panel.axis("off")
    colours = {stage["name"]: f"C{index}" for index, stage in enumerate(stages)}
    for panel, axis in zip(panels, axes, strict=False):
        for stage in stages:
            _draw_bounds(panel, stage["space"].get(axis.path, {}), colours[stage["name"]])
        for row in rows:
            _draw_trial(panel, row, axis, colours.get(row["stage"], "grey"))
        panel.set(xlabel=axis.label)
        if axis.log:
            panel.set(xscale="log")
        if axis.tick_labels is not None:
            panel.set_xticks(range(len(axis.tick_labels)), axis.tick_labels)
            panel.set_xlim(-0.5, len(axis.tick_labels) - 0.5)
    for panel in panels[::columns]:
        panel.set(ylabel=objective)
    _draw_legend(figure, rows, colours)


def _draw_bounds(panel: Any, space: Mapping[str, Any], colour: str) -> None:
    for bound in BOUNDS:
        if bound in space:
            panel.axvline(space[bound], color=colour, lw=0.8, ls="--")


def _draw_trial(panel: Any, row: Row, axis: Axis, colour: str) -> None:
    x, y = axis.row_position(row), score_of(row)
    if x is None:
        return
    style: dict[str, Any] = {"color": colour, "ls": "", "ms": 5, "alpha": 0.8}
    if y is None:
        # At the bottom of the panel, whatever the scale of scores.
        marker = UNSCORED_MARKERS.get(row["status"], "_")
        panel.plot([x], [UNSCORED_HEIGHT], marker, transform=panel.get_xaxis_transform(), **style)
    else:
        marker, fill = SCORED_MARKERS[row["status"]]
        panel.plot([x], [y], marker, fillstyle=fill, **style)


def _draw_legend(figure: Any, rows: Sequence[Row], colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker="o", ls="--", lw=0.8, label=name)
        for name, colour in colours.items()
    ]
    statuses = {row["status"] for row in rows}
    handles += [
        Line2D([], [], color="grey", marker=marker, fillstyle=fill, ls="", label=status)
        for status, (marker, fill) in SCORED_MARKERS.items()
        if status in statuses
    ]
    handles += [
        Line2D([], [], color="grey", marker=marker, ls="", label=status)
        for status, marker in UNSCORED_MARKERS.items()
        if status in statuses
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=max(len(handles), 1), fontsize=8
    )


def _draw_best_so_far(
    figure: Any, rows: Sequence[Row], objective: str, lower_is_better: bool
) -> None:
    """Draw the best of the trials that were done; a pruned trial was trained for less time."""
    ended = active_seconds(rows)
    axes = figure.subplots()
    for status, (marker, fill) in SCORED_MARKERS.items():
        scored = [row for row in rows if row["status"] == status and score_of(row) is not None]
        scored.sort(key=lambda row: ended[row["trial"]])
        if not scored:
            continue
        seconds = [ended[row["trial"]] for row in scored]
        scores = [row["score"] for row in scored]
        style = {"color": "grey", "ls": "", "ms": 4, "alpha": 0.6}
        axes.plot(seconds, scores, marker, fillstyle=fill, label=status, **style)
        if status == "done":
            best = list(accumulate(scores, min if lower_is_better else max))
            seconds, best = [*seconds, max(ended.values())], [*best, best[-1]]
            axes.step(seconds, best, where="post", label="best so far")
    axes.set(xlabel="seconds in which trials ran", ylabel=objective, xlim=(0, None))
    axes.legend(fontsize=8)


def _draw_parallel(
    figure: Any, rows: Sequence[Row], axes: Sequence[Axis], objective: str, lower_is_better: bool
) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scores = [row["score"] for row in rows]
    low, high = min(scores), max(scores)
    scale = Normalize(low, high if high > low else low + 1.0)
    colours = colormaps["viridis_r" if lower_is_better else "viridis"]
    figure.set_size_inches(max(7.0, 1.8 * (len(axes) + 1)), 4.5)
    panel = figure.subplots()
    # The best last, on top of the others.
    for row in sorted(rows, key=lambda row: row["score"], reverse=lower_is_better):
        heights = [axis.fraction(row) for axis in axes]
        heights.append((row["score"] - low) / (high - low) if high > low else 0.5)
        # The line skips axes on which the trial has no value.
        shown = [index for index, height in enumerate(heights) if not math.isnan(height)]
        style = {"color": colours(scale(row["score"])), "ms": 3, "lw": 1.0, "alpha": 0.8}
        panel.plot(shown, [heights[index] for index in shown], "o-", **style)
    for index, axis in enumerate(axes):
        panel.axvline(index, color="black", lw=0.8)
        if axis.tick_labels is None or axis.low == axis.high:
            _label_ends(panel, index, axis.tick(axis.low), axis.tick(axis.high))
        else:
            for order, word in enumerate(axis.tick_labels):
                y = (order - axis.low) / (axis.high - axis.low)
                panel.text(index, y, f" {word}", fontsize=7, va="center")
    panel.axvline(len(axes), color="black", lw=0.8)
    _label_ends(panel, len(axes), f"{low:.4g}", f"{high:.4g}")
    names = [*(axis.label for axis in axes), objective]
    panel.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    panel.set(yticks=[], ylim=(-0.1, 1.1))
    figure.colorbar(ScalarMappable(scale, colours), ax=panel, label=objective)


def _label_ends(panel: Any, x: float, low: str, high: str) -> None:
    panel.text(x, -0.03, low, ha="center", va="top", fontsize=7)
    panel.text(x, 1.03, high, ha="center", va="bottom", fontsize=7)
