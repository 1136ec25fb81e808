"""What a search leaves to look at: a CSV file, pictures and TensorBoard's HParams. Light.

A row is a trial: its name `trial`, `stage`, `values` (by path), `status` (done, pruned, diverged,
timeout or failed), `score` as measured (None where there is none), `epochs`, `steps`, `seconds`,
`attempts`, `reason`, `seed`, and `started` and `ended` in Unix seconds. A stage has a `name` and a
`space` of ranges (`min_value`, `max_value`, `sampling`) and lists (`values`), by path.

Pictures need matplotlib, an extra: `[plots]`. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from zoo.run import written

Row = Mapping[str, Any]
Stage = Mapping[str, Any]

COLUMNS = (
    "trial", "stage", "status", "score", "epochs", "steps", "seconds", "attempts", "reason", "seed",
)  # fmt: skip
# How a trial of each status is drawn; those of the second line have no score to compare.
SCORED = {"done": ("o", "full"), "pruned": ("o", "none")}
UNSCORED = {"diverged": "x", "timeout": "v", "failed": "+"}
BOTTOM = 0.03  # Of the height: where trials without a score are drawn.
PANEL = (4.2, 3.2)  # Inches, width and height, of one of several axes.
MOST_COLUMNS = 3


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Writes a line a trial: the columns of every search, then one a path searched, sorted.

    A value that a trial does not have is empty, and null is the word `null`.
    """
    rows = list(rows)
    paths = _paths(rows)
    with written(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *paths])
        for row in rows:
            values = row["values"]
            table.writerow(
                [*(row.get(name) for name in COLUMNS), *(_cell(values, path) for path in paths)]
            )


def _cell(values: Mapping[str, Any], path: str) -> Any:
    if path not in values:
        return ""
    return "null" if values[path] is None else values[path]


def _paths(rows: Iterable[Row]) -> list[str]:
    return sorted({path for row in rows for path in row["values"]})


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
    from zoo import plots

    plots.require()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    axes = [_Axis(path, rows, stages) for path in _paths(rows)]
    finite = [row for row in rows if _score(row) is not None]
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
        figure = Figure(figsize=plots.SIZE, layout="constrained")
        picture(figure)
        file = folder / f"{name}.png"
        with written(file) as aside:
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
            self.words = list(dict.fromkeys(_word(value) for value in [*listed, *drawn]))
        self.log = self.words is None and any(space.get("sampling") == "log" for space in spaces)
        ends = [] if self.words else [space[end] for space in spaces for end in _ENDS]
        places = [self.place(value) for value in [*drawn, *listed, *ends]]
        found = [place for place in places if place is not None] or [0.0]
        self.low, self.high = min(found), max(found)

    def place(self, value: Any) -> float | None:
        """On the axis; None where it cannot be there, such as 0 in log space."""
        if self.words is not None:
            return float(self.words.index(_word(value)))
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


def _word(value: Any) -> str:
    """As a recipe says it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _score(row: Row) -> float | None:
    """Of a trial that was done or pruned; None where it has none to compare."""
    score = row["score"]
    return score if row["status"] in SCORED and score is not None and math.isfinite(score) else None


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
    y = _score(row)
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
        found = [row for row in rows if row["status"] == status and _score(row) is not None]
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


def write_hparams(rows: Iterable[Row], folder: Path) -> list[Path]:
    """Writes TensorBoard's HParams: a subfolder a trial with its values, score and end.

    TensorBoard's own writer opens files by TensorFlow, seconds to import; its records do not need
    it. A file has one name, so that writing again replaces it.

    Returns:
        The files. `tensorboard --logdir FOLDER` shows them.
    """
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
    from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

    made = []
    for row in rows:
        file = folder / row["trial"] / "events.out.tfevents.0.zoo"
        start, end = row["started"], row["ended"]
        events = [Event(wall_time=start, file_version="brain.Event:2")]
        events.append(Event(wall_time=start, summary=_session_start(row)))
        score = _score(row)
        if score is not None:
            value = Summary.Value(tag="score", simple_value=score)
            summary = Summary(value=[value])
            events.append(Event(wall_time=end, step=row["steps"], summary=summary))
        events.append(Event(wall_time=end, summary=_session_end(row)))
        with written(file) as aside, aside.open("wb") as stream:
            records = RecordWriter(stream)
            for event in events:
                records.write(event.SerializeToString())
        made.append(file)
    return made


def _session_start(row: Row) -> Any:
    from tensorboard.plugins.hparams import summary_v2  # type: ignore[import-untyped]

    values = {
        path: value if isinstance(value, bool | int | float | str) else _word(value)
        for path, value in row["values"].items()
    }
    return summary_v2.hparams_pb(values, trial_id=row["trial"], start_time_secs=row["started"])


def _session_end(row: Row) -> Any:
    """As `summary.session_end_pb`, whose module imports TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = "STATUS_SUCCESS" if row["status"] in SCORED else "STATUS_FAILURE"
    end = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.Status.Value(status), end_time_secs=row["ended"]
    )
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])
