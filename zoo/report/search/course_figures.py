"""Figures of the course of a search: rungs, budget, confirmation, importance. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from zoo.report.blocks import Cell, Column, Figure, Table
from zoo.report.figures import SYMBOLS, series_colour
from zoo.report.search.importance import Forest
from zoo.report.search.marks import (
    MAX_LINES,
    STATUS_COLOURS,
    STATUS_SYMBOLS,
    literal,
    rounded,
    score_axis,
)
from zoo.report.search.outcome import STATUSES, ConfirmedTrial, Pruning, SearchFiles, Spent
from zoo.report.search.rows import active_seconds, score_of
from zoo.text.numbers import duration, short

MATTERS = {True: "var(--series-1)", False: "var(--series-6)"}  # Colours of bars.


def importances(forest: Forest) -> Figure:
    """Draw the importance of each hyperparameter, with the level that luck reaches."""
    shown = list(reversed(forest.importances))
    noise = max(forest.noise or 0.0, 0.0)
    names = [literal(each.path) for each in shown]
    rows: list[list[Cell | str]] = [
        [each.path, Cell(short(each.value, 3), each.value), Cell(str(each.trials), each.trials),
         "yes" if each.matters else "no"]
        for each in forest.importances
    ]  # fmt: skip
    heads: list[Column | str] = [
        "hyperparameter", Column("importance", True), Column("trials", True), "more than luck",
    ]  # fmt: skip
    traces = [
        {
            "type": "bar", "orientation": "h", "x": [rounded(max(each.value, 0)) for each in shown],
            "y": names, "hovertemplate": "%{y}: %{x:.3f}<extra></extra>", "showlegend": False,
            "marker": {"color": [MATTERS[each.matters] for each in shown]},
        }
    ]  # fmt: skip
    return Figure(
        f"Importance in stage {forest.stage}",
        "How much of R² a forest loses when the values of one hyperparameter are shuffled. Grey "
        "bars do not pass the dashed line, which a shuffled copy of a hyperparameter reached.",
        f"Importance of {len(shown)} hyperparameters in stage {forest.stage}.",
        traces,
        {
            "xaxis": {"title": {"text": "R² lost"}, "rangemode": "tozero"},
            "yaxis": {"ticklabelstandoff": 6},
            "shapes": [
                {"type": "line", "xref": "x", "yref": "paper", "x0": noise, "x1": noise, "y0": 0,
                 "y1": 1, "line": {"color": "var(--ink)", "width": 1, "dash": "dash"}}
            ],
        },
        Table(f"Importance in stage {forest.stage}", heads, rows),
        110 + 34 * len(shown),
    )  # fmt: skip


def rungs(files: SearchFiles, stage: Pruning) -> Figure:
    """Draw the scores of trials at the rungs of a stage, by what became of them."""
    sign = -1.0 if files.lower_is_better else 1.0
    rows = [row for row in files.rows if row["stage"] == stage.stage and row["rungs"]]
    drawn = rows[:: -(-len(rows) // MAX_LINES)] if rows else []
    traces: list[dict[str, Any]] = []
    for status in STATUSES:
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str | None] = []
        for row in drawn:
            if row["status"] != status:
                continue
            points = [sign * row["rungs"][key] for key in sorted(row["rungs"], key=int)]
            count = min(len(points), len(stage.fractions))
            ends = [row["score"]] if status == "done" else []
            x += [*map(rounded, stage.fractions[:count]), *([1.0] if ends else []), None]
            y += [*map(rounded, [*points[:count], *ends]), None]
            name = literal(row["trial"])
            text += [*(f"{name}: {short(each)}" for each in [*points[:count], *ends]), None]
        if x:
            traces.append({
                "type": "scatter", "mode": "lines+markers", "name": status, "x": x, "y": y,
                "text": text, "hovertemplate": "%{text}<extra></extra>", "opacity": 0.8,
                "line": {"color": STATUS_COLOURS[status], "width": 1.3},
                "marker": {"symbol": STATUS_SYMBOLS[status], "size": 6},
            })  # fmt: skip
    shown = f" {len(drawn)} of {len(rows)} trials are drawn." if len(drawn) < len(rows) else ""
    table: list[list[Cell | str]] = [
        [Cell(f"{fraction:.0%}".replace("%", " %"), fraction), Cell(str(passed), passed),
         Cell(str(pruned), pruned)]
        for fraction, passed, pruned in zip(
            stage.fractions, stage.passed, stage.pruned, strict=True
        )
    ]  # fmt: skip
    heads: list[Column | str] = [
        Column("trained", True),
        Column("trials", True),
        Column("pruned there", True),
    ]
    return Figure(
        f"Rungs of stage {stage.stage}",
        f"Scores at the rungs, by the share of a training. Pruned trials end at theirs.{shown}",
        f"Scores of {len(drawn)} trials at {len(stage.fractions)} rungs of stage {stage.stage}.",
        traces,
        {"xaxis": {"title": {"text": "share of the training"}, "tickformat": ".0%",
                   "range": [0, 1.04]}, "yaxis": score_axis(files)},
        Table(f"Rungs of stage {stage.stage}", heads, table, sortable=False),
        330,
    )  # fmt: skip


def spent(budget: Sequence[Spent], key: str) -> Figure:
    """Draw what trials took, by stage and status.

    Args:
        budget: what trials took.
        key: `trials` or `seconds`.
    """
    stages = list(dict.fromkeys(each.stage for each in budget))
    by_place = {(each.stage, each.status): each for each in budget}
    traces = []
    for status in STATUSES:
        values = [getattr(by_place.get((stage, status)), key, 0) for stage in stages]
        if any(values):
            traces.append({
                "type": "bar", "orientation": "h", "name": status, "x": [*map(rounded, values)],
                "y": [literal(stage) for stage in stages],
                "hovertemplate": f"%{{y}}, {status}: %{{x}}<extra></extra>",
                "marker": {"color": STATUS_COLOURS[status]},
            })  # fmt: skip
    return Figure(
        "Trials" if key == "trials" else "Seconds of training",
        "By stage, and by how the trials ended.",
        f"{key} of {len(stages)} stages by the status of trials. The table below has the numbers.",
        traces,
        {"barmode": "stack", "yaxis": {"autorange": "reversed", "type": "category"},
         "xaxis": {"title": {"text": key}}},
        height=130 + 40 * len(stages),
    )  # fmt: skip


def best_so_far(files: SearchFiles) -> Figure | None:
    """Draw scores over the time in which trials ran, and the best so far; None without any."""
    rows = files.searched_rows
    ended = active_seconds(rows)
    done = [row for row in rows if row["status"] == "done" and score_of(row) is not None]
    done.sort(key=lambda row: ended[row["trial"]])
    if not done:
        return None
    traces: list[dict[str, Any]] = []
    for number, stage in enumerate(files.stages):
        trials = [row for row in done if row["stage"] == stage["name"]]
        if trials:
            traces.append({
                "type": "scatter", "mode": "markers", "name": literal(stage["name"]),
                "x": [rounded(ended[row["trial"]]) for row in trials],
                "y": [rounded(row["score"]) for row in trials],
                "text": [literal(row["trial"]) for row in trials],
                "hovertemplate": "%{text}: %{y}<extra></extra>",
                "marker": {
                    "color": series_colour(number), "symbol": SYMBOLS[number % len(SYMBOLS)],
                    "size": 7, "opacity": 0.75,
                },
            })  # fmt: skip
    best = list(accumulate((row["score"] for row in done), min if files.lower_is_better else max))
    # Only the steps, not a point for each trial.
    steps = [i for i in range(len(best)) if not i or best[i] != best[i - 1]]
    x = [ended[done[i]["trial"]] for i in steps] + [max(ended.values())]
    traces.append({
        "type": "scatter", "mode": "lines", "name": "best so far", "x": [*map(rounded, x)],
        "y": [*map(rounded, [*(best[i] for i in steps), best[-1]])],
        "line": {"shape": "hv", "color": "var(--ink)", "width": 2},
    })  # fmt: skip
    table: list[list[Cell | str]] = [
        [done[i]["trial"], Cell(duration(ended[done[i]["trial"]]), ended[done[i]["trial"]]),
         Cell(short(best[i]), best[i])]
        for i in steps
    ]  # fmt: skip
    heads: list[Column | str] = ["trial", Column("after", True), Column(files.objective, True)]
    return Figure(
        "The best so far",
        "Trials that were done, over the time in which trials ran. Later stages train longer.",
        f"{files.objective} of {len(done)} trials over time; the best rises in {len(steps)} steps.",
        traces,
        {"xaxis": {"title": {"text": "seconds in which trials ran"}, "rangemode": "tozero"},
         "yaxis": score_axis(files)},
        Table("The best so far", heads, table),
        330,
    )  # fmt: skip


def confirmed(files: SearchFiles, trials: Sequence[ConfirmedTrial]) -> Figure:
    """Draw the scores over fresh seeds beside the score in the search."""
    names = [literal(each.trial) for each in trials]
    means = [each.spread for each in trials]
    y_of = dict(zip((each.trial for each in trials), names, strict=True))
    seeds = [(score, y_of[each.trial]) for each in trials for score in each.scores]
    traces: list[Mapping[str, Any]] = [
        _dots("each seed", seeds, "var(--series-1)", "circle-open", 9),
        _dots(
            "mean over seeds",
            [(mean.mean, name) for mean, name in zip(means, names, strict=True) if mean],
            "var(--series-1)", "diamond", 12,
        ),
        _dots(
            "in the search",
            [(each.search_score, y_of[each.trial]) for each in trials
             if each.search_score is not None],
            "var(--series-2)", "x", 10,
        ),
    ]  # fmt: skip
    return Figure(
        "Scores over fresh seeds",
        "The score in the search is that of the luckiest draw, which lifts it; where its stage had "
        "fewer epochs than the recipe, it may lie below the mean all the same.",
        f"Scores of {len(trials)} trials over fresh seeds. The table below has the numbers.",
        traces,
        {"yaxis": {"autorange": "reversed", "type": "category"},
         "xaxis": {"title": {"text": literal(files.objective)}}},
        height=150 + 42 * len(trials),
    )  # fmt: skip


def _dots(
    name: str, points: Sequence[tuple[float, str]], colour: str, symbol: str, size: int
) -> Mapping[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": name,
        "x": [rounded(x) for x, _ in points], "y": [y for _, y in points],
        "hovertemplate": "%{y}: %{x}<extra></extra>",
        "marker": {"color": colour, "symbol": symbol, "size": size, "line": {"width": 2}},
    }  # fmt: skip
