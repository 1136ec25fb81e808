"""Figures of scores over the values of hyperparameters. Light: plain numbers in, blocks out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from zoo.report.blocks import Figure
from zoo.report.figures import series_colour
from zoo.report.search.axis import BOUNDS, Axis
from zoo.report.search.marks import MAX_LINES, STATUS_SYMBOLS, literal, rounded, score_axis
from zoo.report.search.outcome import STATUSES, SearchFiles
from zoo.report.search.rows import Row, as_word, score_of
from zoo.text.numbers import short

# Trials by their place among all, the best last, so that they lie on top.
BANDS = ((1.0, "the other half"), (0.5, "best half"), (0.25, "best quarter"), (0.1, "best tenth"))
BAND_COLOURS = ("var(--series-6)", "var(--series-7)", "var(--series-1)", "var(--series-2)")
MAX_POINTS = 800  # Trials in a figure that draws a mark for each.
MANY = 300  # Trials from which on marks are small.
MAX_TICK = 24  # Characters of a name below an axis.
MAX_LEVEL = 7  # Axes whose names lie side by side on a wide screen.
GOLDEN = 0.6180339887  # Multiples of it, modulo 1, spread evenly.


def scores(files: SearchFiles, axis: Axis) -> Figure:
    """Draw the score of each trial over one hyperparameter, and the range of each stage.

    Trials without a score lie at the bottom.
    """
    rows, all_rows = _drawn(files), files.searched_rows
    known = [score for score in map(score_of, rows) if score is not None]
    bottom = _bottom(known)
    stages = [stage["name"] for stage in files.stages]
    traces: list[dict[str, Any]] = []
    for number, stage in enumerate(stages):
        trials = [row for row in rows if row["stage"] == stage]
        traces += _of_stage(trials, axis, stage, number, bottom)
    if len(rows) > MANY:
        for trace in traces:
            trace["marker"] |= {"size": 4, "opacity": 0.5}
    layout: dict[str, Any] = {
        "xaxis": _hyperparameter_axis(axis),
        "yaxis": score_axis(files),
        "shapes": list(_ranges(files, axis)),
        "margin": {"t": 8 + 9 * len(stages)},
        "legend": {"y": -0.13, "yanchor": "top"},
    }
    remarks = ["Bars above: the ranges of the stages, in their colours, the first on top."]
    if len(known) < len(rows):
        remarks.append("Trials without a score lie on the lowest line.")
    if len(rows) < len(all_rows):
        remarks.append(f"{len(rows):,} of {len(all_rows):,} trials are drawn.")
    return Figure(
        axis.label,
        " ".join(remarks),
        f"{files.objective} of {len(rows)} trials over {axis.path}. The table of trials has the "
        "numbers.",
        traces,
        layout,
        height=330,
    )


def _drawn(files: SearchFiles) -> list[Row]:
    """The trials that figures show: all but of a large search, so that the page stays quick."""
    rows = files.searched_rows
    if len(rows) <= MAX_POINTS:
        return rows
    scored = chosen(rows, MAX_POINTS * 3 // 4, lower_is_better=files.lower_is_better)
    without = [row for row in rows if score_of(row) is None]
    stride = -(-len(without) // (MAX_POINTS // 4))
    return scored + without[:: stride or 1]


def _bottom(known: Sequence[float]) -> float:
    """Where trials without a score are drawn: below all others."""
    if not known:
        return 0.0
    return min(known) - 0.06 * ((max(known) - min(known)) or 1.0)


def _of_stage(
    trials: Sequence[Row], axis: Axis, stage: str, number: int, bottom: float
) -> Iterable[dict[str, Any]]:
    """A trace for each status of the trials of a stage."""
    for status in STATUSES:
        points = [
            (position, row)
            for row in trials
            if row["status"] == status and (position := axis.row_position(row)) is not None
        ]
        if not points:
            continue
        y = [score_of(row) for _, row in points]
        yield {
            "type": "scatter", "mode": "markers", "name": f"{literal(stage)}, {status}",
            "x": [rounded(x + _jitter(axis, i)) for i, (x, _) in enumerate(points)],
            "y": [bottom if score is None else rounded(score) for score in y],
            "text": [_hover(axis, row) for _, row in points],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "color": series_colour(number), "symbol": STATUS_SYMBOLS[status], "size": 8,
                "opacity": 0.8,
            },
        }  # fmt: skip


def _hover(axis: Axis, row: Row) -> str:
    score = score_of(row)
    shown = "no score" if score is None else short(score)
    value = axis.tick(axis.row_position(row) or 0.0)
    return f"{literal(row['trial'])}: {shown}<br>{literal(value)}, {row['status']}"


def _jitter(axis: Axis, index: int) -> float:
    """Shifts a word's trials sideways, so that they do not hide each other."""
    return 0.0 if axis.tick_labels is None else ((index * GOLDEN) % 1 - 0.5) * 0.5


def _hyperparameter_axis(axis: Axis) -> dict[str, Any]:
    settings: dict[str, Any] = {}  # No title: the heading names the hyperparameter.
    if axis.tick_labels is not None:
        count = len(axis.tick_labels)
        labels = [literal(label) for label in axis.tick_labels]
        return settings | {
            "tickvals": list(range(count)), "ticktext": labels, "range": [-0.5, count - 0.5],
        }  # fmt: skip
    if axis.log:
        low, high = math.log10(axis.low), math.log10(axis.high)
        room = 0.04 * ((high - low) or 1.0)
        settings |= {"type": "log", "range": [low - room, high + room], "exponentformat": "power"}
        if high - low >= 2:
            settings["dtick"] = 1 if high - low < 8 else 2
    return settings


def _ranges(files: SearchFiles, axis: Axis) -> Iterable[dict[str, Any]]:
    """A bar above the figure for the range of each stage."""
    for number, stage in enumerate(files.stages):
        space = stage["space"].get(axis.path)
        if space is None:
            continue
        if axis.tick_labels is None:
            ends = [(space[BOUNDS[0]], space[BOUNDS[1]])]
        else:
            places = [axis.tick_labels.index(as_word(value)) for value in space.get("values", ())]
            ends = [(place - 0.4, place + 0.4) for place in places]
        height = 1.02 + 0.045 * (len(files.stages) - number - 1)
        for low, high in ends:
            yield {
                "type": "rect", "xref": "x", "yref": "paper", "x0": low, "x1": high,
                "y0": height, "y1": height + 0.025, "line": {"width": 0},
                "fillcolor": series_colour(number),
            }  # fmt: skip


def chosen(rows: Sequence[Row], most: int, *, lower_is_better: bool) -> list[Row]:
    """Return some of the trials that have a score, worst first.

    Args:
        rows: the trials.
        most: how many at most; half of them are the best ones, the others are spread evenly.
        lower_is_better: the score is a loss.
    """
    scored = [row for row in rows if score_of(row) is not None]
    scored.sort(key=lambda row: row["score"], reverse=lower_is_better)
    if len(scored) <= most:
        return scored
    best, others = scored[-most // 2 :], scored[: -most // 2]
    count = most - len(best)
    return [others[index * len(others) // count] for index in range(count)] + best


def parallel(files: SearchFiles, axes: Sequence[Axis]) -> Figure | None:
    """Draw for each trial a line through its values to its score; None without any score.

    A line skips the axes on which a trial has no value. WebGL, which Plotly's own parallel
    coordinates need, is not to be had in each browser, and not on paper.
    """
    rows = files.searched_rows
    trials = chosen(rows, MAX_LINES, lower_is_better=files.lower_is_better)
    scored = sum(score_of(row) is not None for row in rows)
    if not trials or not axes:
        return None
    values = [row["score"] for row in trials]
    low, high = min(values), max(values)
    traces = []
    for (share, name), colour in zip(BANDS, BAND_COLOURS, strict=True):
        bound = next((s for s, _ in BANDS if s < share), 0.0)
        first, last = (round((1 - s) * len(trials)) for s in (share, bound))
        band = trials[first:last]
        if band:
            traces.append(_lines(files, band, axes, name, colour, (low, high)))
    last = len(axes)
    names = [literal(name, MAX_TICK) for name in (*(axis.label for axis in axes), files.objective)]
    # Two lines for a name such as SGD.learning_rate.
    broken = [name.replace(".", ".<br>") for name in names]
    ticks = {
        "tickvals": list(range(last + 1)),
        "range": [-0.25, last + 0.35],
        "showgrid": True,
        "gridcolor": "var(--line)",
        "ticklabeloverflow": "allow",
    }
    upright = {"ticktext": names, "tickangle": -90}
    layout = {
        "xaxis": ticks | ({"ticktext": broken, "tickangle": 0} if last <= MAX_LEVEL else upright),
        "yaxis": {"visible": False, "range": [-0.09, 1.09]},
        "annotations": list(_axis_texts(axes, (low, high))),
        "narrow": {"margin": {"l": 12, "r": 12, "t": 8, "b": 110}, "xaxis": ticks | upright},
    }  # fmt: skip
    shown = f" {len(trials)} of {scored} trials are drawn." if len(trials) < scored else ""
    return Figure(
        "Parallel coordinates",
        "Each line is a trial: through its values, to its score on the right. Click a name to hide "
        f"a group, twice to see it alone.{shown}",
        f"Lines of {len(trials)} trials through the values of {len(axes)} hyperparameters to "
        f"{files.objective}. The table of trials has the numbers.",
        traces,
        layout,
        height=430,
    )


def _lines(
    files: SearchFiles,
    band: Sequence[Row],
    axes: Sequence[Axis],
    name: str,
    colour: str,
    ends: tuple[float, float],
) -> dict[str, Any]:
    low, high = ends
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str | None] = []
    for row in band:
        for index, axis in enumerate(axes):
            height = axis.fraction(row)
            if math.isnan(height):
                continue
            if axis.tick_labels is not None:
                height += _spread(row, len(axis.tick_labels))
            x.append(index)
            y.append(round(height, 4))
            value = axis.tick(axis.row_position(row) or 0.0)
            text.append(f"{literal(row['trial'])}: {short(row['score'])}<br>{literal(value)}")
        x += [len(axes), None]
        y += [round((row["score"] - low) / (high - low), 4) if high > low else 0.5, None]
        text += [f"{literal(row['trial'])}: {short(row['score'])}, {row['status']}", None]
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": y, "text": text,
        "hovertemplate": "%{text}<extra></extra>", "opacity": 0.75,
        "line": {"color": colour, "width": 1.4}, "marker": {"color": colour, "size": 4},
    }  # fmt: skip


def _spread(row: Row, words: int) -> float:
    """Moves the lines through a word a little apart."""
    return float(((row["index"] * GOLDEN) % 1 - 0.5) * 0.3 / max(words, 3))


def _axis_texts(axes: Sequence[Axis], ends: tuple[float, float]) -> Iterable[dict[str, Any]]:
    for index, axis in enumerate(axes):
        if axis.tick_labels is None or axis.low == axis.high:
            yield _note(index, -0.02, axis.tick(axis.low), "top")
            yield _note(index, 1.02, axis.tick(axis.high), "bottom")
        else:
            for order, word in enumerate(axis.tick_labels):
                yield _note(index, (order - axis.low) / (axis.high - axis.low), word, "middle")
    yield _note(len(axes), -0.02, f"{ends[0]:.4g}", "top")
    yield _note(len(axes), 1.02, f"{ends[1]:.4g}", "bottom")


def _note(x: float, y: float, text: str, anchor: str) -> dict[str, Any]:
    return {
        "x": x, "y": y, "text": literal(text), "showarrow": False, "yanchor": anchor,
        "xanchor": "left" if anchor == "middle" else "center", "xshift": 6 * (anchor == "middle"),
        "bgcolor": "var(--card)", "font": {"size": 11, "color": "var(--ink)"},
    }  # fmt: skip
