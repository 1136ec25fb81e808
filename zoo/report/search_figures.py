"""Pictures of a search: scores over each knob, the best so far, all knobs side by side.

Rows and stages are those of `zoo.report.search_rows`. Matplotlib is an extra: `[plots]`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from zoo.report.search_rows import Row, Stage, as_word, score_of, searched
from zoo.rundir import atomic_write

# How a trial of each status is drawn; those of the second line have no score to compare.
SCORED = {"done": ("o", "full"), "pruned": ("o", "none")}
UNSCORED = {"diverged": "x", "timeout": "v", "failed": "+"}
BOTTOM = 0.03  # Of the height: where trials without a score are drawn.
PANEL = (4.2, 3.2)  # Inches, width and height, of one of several axes.
MOST_COLUMNS = 3


def draw(
    rows: Sequence[Row],
    stages: Sequence[Stage],
    objective: str,
    folder: Path,
    *,
    lower_is_better: bool = False,
) -> list[Path]:
    """Draws the search as PNG files.

    Args:
        rows: its trials.
        stages: in their order.
        objective: what the score is, for the axes.
        folder: where the files go.
        lower_is_better: the score is a loss.

    Returns:
        The files: `scores.png`, the score over each parameter; `best_so_far.png`, the best score
        over the seconds in which trials ran; `parallel.png`, a line a trial through its values to
        its score. A picture that nothing can be drawn in is left out.

    Raises:
        EnvironmentFault: matplotlib is not installed.
    """
    from zoo.report import check_figures

    check_figures.require()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    axes = [_Axis(path, rows, stages) for path in searched(rows)]
    finite = [row for row in rows if score_of(row) is not None]
    pictures: dict[str, Callable[[Any], None]] = {}
    if axes:
        pictures["scores"] = lambda figure: _scores(figure, rows, stages, axes, objective)
    if finite:
        pictures["best_so_far"] = lambda figure: _best(figure, rows, objective, lower_is_better)
    if axes and finite:
        pictures["parallel"] = lambda figure: _parallel(
            figure, finite, axes, objective, lower_is_better
        )
    made = []
    for name, picture in pictures.items():
        figure = Figure(figsize=check_figures.SIZE, layout="constrained")
        picture(figure)
        file = folder / f"{name}.png"
        with atomic_write(file) as aside:
            figure.savefig(aside, dpi=120)
        made.append(file)
    return made


class _Axis:
    """Where values of a path are drawn: numbers at themselves, values of a list at their places."""

    def __init__(self, path: str, rows: Sequence[Row], stages: Sequence[Stage]) -> None:
        self.path = path
        spaces = [stage["space"][path] for stage in stages if path in stage["space"]]
        drawn = [row["values"][path] for row in rows if path in row["values"]]
        listed = [value for space in spaces for value in space.get("values", ())]
        # The name of a path is long, and its end tells it from others.
        self.label = path if len(path) <= 36 else f"...{path[-33:]}"
        self.words: list[str] | None = None
        if listed or not all(map(_is_number, drawn)):
            self.words = list(dict.fromkeys(as_word(value) for value in [*listed, *drawn]))
        self.log = self.words is None and any(space.get("sampling") == "log" for space in spaces)
        ends = [] if self.words else [space[end] for space in spaces for end in _ENDS]
        places = [self.place(value) for value in [*drawn, *listed, *ends]]
        found = [place for place in places if place is not None] or [0.0]
        self.low, self.high = min(found), max(found)

    def place(self, value: Any) -> float | None:
        """On the axis; None where it cannot be there, such as 0 in log space."""
        if self.words is not None:
            return float(self.words.index(as_word(value)))
        return None if self.log and value <= 0 else float(value)

    def position(self, row: Row) -> float:
        """From 0 to 1 along the axis, in log space where the search was; nan where missing."""
        place = self.place(row["values"][self.path]) if self.path in row["values"] else None
        if place is None:
            return math.nan
        low, high = self.low, self.high
        if self.log:
            low, high, place = math.log(low), math.log(high), math.log(place)
        return (place - low) / (high - low) if high > low else 0.5

    def end(self, place: float) -> str:
        return f"{place:.3g}" if self.words is None else self.words[round(place)]


_ENDS = ("min_value", "max_value")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _scores(
    figure: Any, rows: Sequence[Row], stages: Sequence[Stage], axes: Sequence[_Axis], objective: str
) -> None:
    columns = min(len(axes), MOST_COLUMNS)
    lines = -(-len(axes) // columns)
    figure.set_size_inches(max(PANEL[0] * columns, 6.0), PANEL[1] * lines)
    places = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for place in places[len(axes) :]:
        place.axis("off")
    colours = {stage["name"]: f"C{index}" for index, stage in enumerate(stages)}
    for place, axis in zip(places, axes, strict=False):
        for stage in stages:
            _edges(place, stage["space"].get(axis.path, {}), colours[stage["name"]])
        for row in rows:
            _dot(place, row, axis, colours.get(row["stage"], "grey"))
        place.set(xlabel=axis.label)
        if axis.log:
            place.set(xscale="log")
        if axis.words is not None:
            place.set_xticks(range(len(axis.words)), axis.words)
            place.set_xlim(-0.5, len(axis.words) - 0.5)
    for place in places[::columns]:
        place.set(ylabel=objective)
    _legend(figure, rows, colours)


def _edges(place: Any, space: Mapping[str, Any], colour: str) -> None:
    for end in _ENDS:
        if end in space:
            place.axvline(space[end], color=colour, lw=0.8, ls="--")


def _dot(place: Any, row: Row, axis: _Axis, colour: str) -> None:
    x = axis.place(row["values"][axis.path]) if axis.path in row["values"] else None
    if x is None:
        return
    y = score_of(row)
    style: dict[str, Any] = {"color": colour, "ls": "", "ms": 5, "alpha": 0.8}
    if y is None:
        # No score: at the bottom of the picture, whatever its scale.
        marker = UNSCORED.get(row["status"], "_")
        place.plot([x], [BOTTOM], marker, transform=place.get_xaxis_transform(), **style)
    else:
        marker, fill = SCORED[row["status"]]
        place.plot([x], [y], marker, fillstyle=fill, **style)


def _legend(figure: Any, rows: Sequence[Row], colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    shown = [
        Line2D([], [], color=colour, marker="o", ls="--", lw=0.8, label=name)
        for name, colour in colours.items()
    ]
    statuses = {row["status"] for row in rows}
    shown += [
        Line2D([], [], color="grey", marker=marker, fillstyle=fill, ls="", label=status)
        for status, (marker, fill) in SCORED.items()
        if status in statuses
    ]
    shown += [
        Line2D([], [], color="grey", marker=marker, ls="", label=status)
        for status, marker in UNSCORED.items()
        if status in statuses
    ]
    figure.legend(handles=shown, loc="outside upper center", ncols=max(len(shown), 1), fontsize=8)


def _best(figure: Any, rows: Sequence[Row], objective: str, lower_is_better: bool) -> None:
    """The best of the trials that were done: a pruned one's score is of less training."""
    ended = ran(rows)
    axes = figure.subplots()
    for status, (marker, fill) in SCORED.items():
        found = [row for row in rows if row["status"] == status and score_of(row) is not None]
        found.sort(key=lambda row: ended[row["trial"]])
        if not found:
            continue
        seconds = [ended[row["trial"]] for row in found]
        scores = [row["score"] for row in found]
        style = {"color": "grey", "ls": "", "ms": 4, "alpha": 0.6}
        axes.plot(seconds, scores, marker, fillstyle=fill, label=status, **style)
        if status == "done":
            best = list(accumulate(scores, min if lower_is_better else max))
            seconds, best = [*seconds, max(ended.values())], [*best, best[-1]]
            axes.step(seconds, best, where="post", label="best so far")
    axes.set(xlabel="seconds in which trials ran", ylabel=objective, xlim=(0, None))
    axes.legend(fontsize=8)


def ran(rows: Sequence[Row]) -> dict[str, float]:
    """When each trial ended, by name, in seconds since the first started.

    Seconds in which no trial ran, such as a night between Ctrl-C and `--resume`, do not count.
    """
    ended: dict[str, float] = {}
    idle = until = 0.0
    for row in sorted(rows, key=lambda row: (row["started"], row["ended"])):
        idle += max(row["started"] - until, 0.0)  # Before the first: all the time since 1970.
        until = max(until, row["ended"])
        ended[row["trial"]] = row["ended"] - idle
    return ended


def _parallel(
    figure: Any, rows: Sequence[Row], axes: Sequence[_Axis], objective: str, lower_is_better: bool
) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scores = [row["score"] for row in rows]
    low, high = min(scores), max(scores)
    scale = Normalize(low, high if high > low else low + 1.0)
    colours = colormaps["viridis_r" if lower_is_better else "viridis"]
    figure.set_size_inches(max(7.0, 1.8 * (len(axes) + 1)), 4.5)
    place = figure.subplots()
    # The best last, on top of the others.
    for row in sorted(rows, key=lambda row: row["score"], reverse=lower_is_better):
        line = [axis.position(row) for axis in axes]
        line.append((row["score"] - low) / (high - low) if high > low else 0.5)
        # Past an axis on which the trial has no value the line goes on.
        there = [index for index, y in enumerate(line) if not math.isnan(y)]
        style = {"color": colours(scale(row["score"])), "ms": 3, "lw": 1.0, "alpha": 0.8}
        place.plot(there, [line[index] for index in there], "o-", **style)
    for index, axis in enumerate(axes):
        place.axvline(index, color="black", lw=0.8)
        if axis.words is None or axis.low == axis.high:
            _ends(place, index, axis.end(axis.low), axis.end(axis.high))
        else:
            _ends(place, index, "", "")
            for order, word in enumerate(axis.words):
                y = (order - axis.low) / (axis.high - axis.low)
                place.text(index, y, f" {word}", fontsize=7, va="center")
    place.axvline(len(axes), color="black", lw=0.8)
    _ends(place, len(axes), f"{low:.4g}", f"{high:.4g}")
    names = [*(axis.label for axis in axes), objective]
    place.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    place.set(yticks=[], ylim=(-0.1, 1.1))
    figure.colorbar(ScalarMappable(scale, colours), ax=place, label=objective)


def _ends(place: Any, x: float, low: str, high: str) -> None:
    place.text(x, -0.03, low, ha="center", va="top", fontsize=7)
    place.text(x, 1.03, high, ha="center", va="bottom", fontsize=7)
