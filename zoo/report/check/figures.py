"""Figures of what `zoo check` measured, from the numbers in checks.json. Light."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zoo.report import figures
from zoo.report.blocks import Block, Cell, Column, Columns, Figure, Missing, Table
from zoo.report.kernel_block import RANGE, as_uri, kernel_blocks
from zoo.text.counted import counted
from zoo.text.numbers import short

MAX_LABEL = 24  # Characters of a layer's name on an axis.
NOTHING_MEASURED = (
    "This folder holds no measurements: it is of an older version of zoo, or the checks that "
    "measure were left out. What writes them:"
)


def blocks(checks: Mapping[str, Any]) -> list[Block]:
    """Return the figures of the measurements that were made."""
    measured = checks.get("measured") or {}
    made = [draw(measured[key]) for key, draw in FIGURES.items() if measured.get(key)]
    kernels = _kernels(measured["filters"]) if measured.get("filters") else []
    if not made and not kernels:
        return [Missing(NOTHING_MEASURED, "zoo check RECIPE")]
    return [*([Columns(made)] if made else []), *kernels]


def _log(title: str, values: Iterable[float | None]) -> dict[str, Any]:
    return {"title": {"text": title}, **figures.log_axis(values)}


def _scan(scan: Mapping[str, Any]) -> Figure:
    points = scan["points"]
    seeds = sorted({point["seed"] for point in points})
    first = scan["first_loss"]
    traces = []
    for number, seed in enumerate(seeds):
        own = sorted((p for p in points if p["seed"] == seed), key=lambda p: p["rate"])
        rates, losses = [p["rate"] for p in own], [p["end_loss"] for p in own]
        traces.append(figures.line_trace(f"seed {seed}", rates, losses, number))
    rows = [
        [Cell(short(p["rate"]), p["rate"]), Cell(str(p["seed"])),
         Cell(short(p["end_loss"]), p["end_loss"])]
        for p in sorted(points, key=lambda p: (p["rate"], p["seed"]))
    ]  # fmt: skip
    heads = [
        Column("learning rate", numeric=True), Column("seed"), Column("loss", numeric=True)
    ]  # fmt: skip
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1}
    across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": first, "y1": first}
    style = {"color": "var(--soft)", "width": 1.5, "dash": "dot"}
    rate = scan["rate"]
    return Figure(
        "Learning rate scan",
        f"Loss after a few steps at each rate; gaps diverged. Vertical: the recipe's rate, "
        f"{rate:g}. Horizontal: the first loss, {first:.3g}.",
        f"Loss after a few steps over {len(rows)} learning rates; the table has the numbers.",
        traces,
        {
            "xaxis": _log("learning rate", [point["rate"] for point in points]),
            "yaxis": {"title": {"text": "loss after the steps"}, "range": [0, 2 * first]},
            "shapes": [{**line, "x0": rate, "x1": rate, "line": style}, {**across, "line": style}],
        },
        Table("Learning rate scan: the numbers", heads, rows),
    )


def _by_layer(
    title: str, caption: str, y_title: str, names: Sequence[str], curves: Sequence[figures.Curve]
) -> Figure:
    """Curves over layers on a logarithmic axis."""
    labels = [name if len(name) <= MAX_LABEL else f"…{name[1 - MAX_LABEL :]}" for name in names]
    traces = [
        figures.line_trace(name, list(range(len(names))), values, i)
        for i, (name, values) in enumerate(curves)
    ]
    axis = {
        "tickmode": "array", "tickvals": list(range(len(names))), "tickangle": -60,
        "ticktext": [figures.plain(label) for label in labels], "tickfont": {"size": 11},
    }  # fmt: skip
    if len(names) > 30:
        axis = {"title": {"text": "layer"}}
    return Figure(
        title,
        caption,
        f"{title} of {len(names)} layers; the table has the numbers.",
        traces,
        {"xaxis": axis, "yaxis": _log(y_title, [v for _, values in curves for v in values])},
        figures.table_of(title, "layer", names, curves),
        360,
    )


def _activations(layers: Sequence[Mapping[str, Any]]) -> Figure:
    return _by_layer(
        "Signal in the untrained network",
        "Standard deviation of each layer's output: it should neither vanish nor explode.",
        "standard deviation",
        [layer["name"] for layer in layers],
        [("standard deviation", [layer["std"] for layer in layers])],
    )


def _gradients(kernels: Sequence[Mapping[str, Any]]) -> Figure:
    return _by_layer(
        "First gradient",
        "Root mean square of each kernel and of its first gradient.",
        "root mean square",
        [kernel["name"] for kernel in kernels],
        [
            ("gradient", [kernel["gradient"] for kernel in kernels]),
            ("kernel", [kernel["weight"] for kernel in kernels]),
        ],
    )


def _short_training(training: Mapping[str, Any]) -> Figure:
    losses = training["losses"]
    return figures.lines(
        "The first steps",
        f"Loss of each step at the learning rate {short(training['rate'], 3)}.",
        "step",
        [1 + i * training.get("stride", 1) for i in range(len(losses))],
        [("loss", losses)],
    )


def _overfit(curves: Sequence[Mapping[str, Any]]) -> Figure:
    longest = max(len(curve["losses"]) for curve in curves)
    return figures.lines(
        "A few images",
        "A network that works brings the loss of a few images to nearly nothing.",
        "step",
        [1 + i * curves[0].get("stride", 1) for i in range(longest)],
        [
            (f"Adam {c['rate']:g}", [*c["losses"], *[None] * (longest - len(c["losses"]))])
            for c in curves
        ],
        log=True,
    )


def _kernels(filters: Mapping[str, Any]) -> list[Block]:
    levels, count = filters["levels"], filters["count"]
    caption = f"{counted(count, 'kernel')} of the first layer after the short training; {RANGE}."
    size = (len(levels[0]), len(levels[0][0]))
    return kernel_blocks(list(map(as_uri, levels)), count, "kernel", "", caption, size)


FIGURES: dict[str, Callable[[Any], Figure]] = {
    "scan": _scan,
    "short_training": _short_training,
    "activations": _activations,
    "gradients": _gradients,
    "overfit_curves": _overfit,
}
