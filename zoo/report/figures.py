"""Figures of plain numbers, as `Figure` blocks. Light.

The script of the page gives all figures one look, which follows the light or dark look of the page;
a figure names colours as `var(--series-1)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from zoo.report.blocks import Cell, Column, Figure, Table
from zoo.text.numbers import short

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "pentagon")
# From the ground to the strongest colour; of one hue, so that it reads without colour, too.
SEQUENTIAL = [[0.0, "var(--scale-0)"], [0.5, "var(--scale-1)"], [1.0, "var(--scale-2)"]]
MAX_MARKERS = 60  # Points of a line from which on only the line is drawn.
MAX_TABLE_ROWS = 500
MAX_TABLE_CELLS = 6000
MAX_POINTS = 2000  # Of a line; more than a screen has pixels.
MAX_FIGURE_POINTS = 12_000  # Of all lines of a figure.
MIN_RATIO = 5  # Of the ends of an axis from which on it is logarithmic.
DECADES_ALONE = 3  # Decades from which on ticks between them have no room.
MAX_DECADES = 8  # Of which each has a tick.

Curve = tuple[str, Sequence[float | None]]  # Its name and its values.


def plain(text: str) -> str:
    """Return a text as Plotly shows it letter by letter: it reads texts as HTML with few tags."""
    return escape(" ".join(text.split()), quote=False)


def series_colour(number: int) -> str:
    """Return the colour of a series, by number from 0; after eight they begin again."""
    return f"var(--series-{number % 8 + 1})"


def line_trace(
    name: str,
    x: Sequence[Any],
    y: Sequence[float | None],
    number: int = 0,
    *,
    dashed: bool | None = None,
    most: int = MAX_POINTS,
) -> dict[str, Any]:
    """Return a line whose colour, dash and symbol all tell it from others.

    Args:
        name: in the legend.
        x: positions.
        y: values; None leaves a gap.
        number: of the series, from 0.
        dashed: whether the line is dashed; None: by the number.
        most: number of points that are drawn.
    """
    x, y = thinned(x, y, most)
    dash = DASHES[number % len(DASHES)] if dashed is None else ("dash" if dashed else "solid")
    colour = series_colour(number)
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(x) <= MAX_MARKERS else "lines",
        "name": plain(name),
        "x": x,
        "y": y,
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "size": 6, "symbol": SYMBOLS[number % len(SYMBOLS)]},
    }


def thinned(
    x: Sequence[Any], y: Sequence[float | None], most: int
) -> tuple[list[Any], list[float | None]]:
    """Return a line of fewer points that looks alike: the lowest and highest of each stretch.

    Args:
        x: positions.
        y: values; None leaves a gap.
        most: number of points, about.
    """
    count, stretches = len(x), max(most // 2, 1)
    if count <= most:
        return list(x), list(y)
    kept = {0, count - 1}
    for number in range(stretches):
        stretch = range(number * count // stretches, (number + 1) * count // stretches)
        known = [(value, i) for i in stretch if (value := y[i]) is not None]
        kept |= {min(known)[1], max(known)[1]} if known else {stretch[0]}
    order = sorted(kept)
    return [x[i] for i in order], [y[i] for i in order]


def points_of_each(count: int) -> int:
    """Return the number of points that each of `count` lines of a figure may have."""
    return min(MAX_POINTS, MAX_FIGURE_POINTS // max(count, 1))


def lines(
    title: str,
    caption: str,
    x_title: str,
    x: Sequence[float],
    curves: Sequence[Curve],
    *,
    y_title: str = "",
    log: bool = False,
    is_metric: bool = False,
    layout: Mapping[str, Any] | None = None,
    height: int = 320,
) -> Figure:
    """Return curves over the same positions, with a table of their values.

    Args:
        title: heading of the figure.
        caption: what to see in it.
        x_title: name of the horizontal axis.
        x: positions.
        curves: names and values.
        y_title: name of the vertical axis.
        log: whether the vertical axis is logarithmic.
        is_metric: whether values lie between 0 and 1.
        layout: more of Plotly's layout.
        height: in CSS pixels.
    """
    most = points_of_each(len(curves))
    traces = [line_trace(name, x, y, i, most=most) for i, (name, y) in enumerate(curves)]
    y_axis: dict[str, Any] = {"title": {"text": plain(y_title)}}
    if log:
        y_axis |= log_axis([value for _, values in curves for value in values])
    if is_metric:
        y_axis |= {"hoverformat": ".4f"}
    names = ", ".join(name for name, _ in curves)
    return Figure(
        title,
        caption,
        f"{title}: {names} over {x_title}, {len(x)} points. The table below has the numbers.",
        traces,
        {"xaxis": {"title": {"text": plain(x_title)}}, "yaxis": y_axis, **(layout or {})},
        table_of(title, x_title, x, curves, is_metric=is_metric),
        height,
    )


def log_axis(values: Iterable[float | None]) -> dict[str, Any]:
    """Return a logarithmic axis of Plotly's with ticks that have room.

    Args:
        values: that are shown; those up to 0 cannot be.

    Returns:
        A tick for each decade; over fewer than three decades also at 2 and 5. A linear axis, where
        all values are alike.
    """
    positive = [value for value in values if value is not None and 0 < value < math.inf]
    if not positive or max(positive) < MIN_RATIO * min(positive):
        return {}
    low, high = math.log10(min(positive)), math.log10(max(positive))
    digits = (1,) if high - low >= DECADES_ALONE else (1, 2, 5)
    step = 1 + int((high - low) // MAX_DECADES)
    ticks = [
        digit * 10.0**power
        for power in range(math.floor(low) - 1, math.ceil(high) + 2, step)
        for digit in digits
    ]
    return {
        "type": "log",
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [f"{tick:g}".replace("e-0", "e-") for tick in ticks],
    }


def table_of(
    title: str, x_title: str, x: Sequence[Any], curves: Sequence[Curve], *, is_metric: bool = False
) -> Table:
    """Return the numbers of curves as a table, with even steps between rows where there are many.

    Args:
        title: of the figure.
        x_title: name of the first column.
        x: positions.
        curves: names and values.
        is_metric: whether values lie between 0 and 1.
    """
    stride = -(-len(x) // min(MAX_TABLE_ROWS, max(MAX_TABLE_CELLS // (len(curves) + 1), 1)))
    rows = []
    for index in range(0, len(x), stride or 1):
        values = [values[index] for _, values in curves]
        cells = [Cell(short(value, is_metric=is_metric), value) for value in values]
        rows.append([_position(x[index]), *cells])
    heads = [Column(x_title, numeric=True), *(Column(name, numeric=True) for name, _ in curves)]
    skipped = f", every {stride}th row" if stride > 1 else ""
    return Table(f"{title}: the numbers{skipped}", heads, rows)


def _position(value: Any) -> Cell:
    return Cell(short(value), value) if isinstance(value, int | float) else Cell(str(value))
