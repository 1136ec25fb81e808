"""The trials and stages of a search as tables and figures take them. Light.

A row is a trial: its name `trial`, `stage`, `values` (by path), `status` (done, pruned, diverged,
timeout or failed), `score` as measured (None if there is none), `epochs`, `steps`, `seconds`,
`attempts`, `reason`, `seed`, and `started` and `ended` in Unix seconds. A stage has a `name` and a
`space` of ranges (`min_value`, `max_value`, `sampling`) and lists (`values`), by path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Stage = Mapping[str, Any]

MEASURED = ("done", "pruned")  # Statuses of trials whose score can be compared.


def searched(rows: Iterable[Row]) -> list[str]:
    """Return the paths of all hyperparameters that the rows have values for, sorted."""
    return sorted({path for row in rows for path in row["values"]})


def in_order(rows: Iterable[Row], stages: Iterable[Stage]) -> list[str]:
    """Return the paths that the rows have values for: in the order of the stages' spaces."""
    there = searched(rows)
    known = dict.fromkeys(path for stage in stages for path in stage["space"])
    return [path for path in known if path in there] + [path for path in there if path not in known]


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Return the shortest end of each path that no other path has: `SGD.learning_rate`."""
    paths = list(paths)

    def end(path: str, parts: int) -> str:
        return ".".join(path.split(".")[-parts:])

    names = {}
    for path in paths:
        parts = 1
        while end(path, parts) != path and any(
            end(other, parts) == end(path, parts) for other in paths if other != path
        ):
            parts += 1
        names[path] = end(path, parts)
    return names


def as_word(value: Any) -> str:
    """Return a value as it is written in a recipe: `null`, `true`, `relu`, `0.1`."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def score_of(row: Row) -> float | None:
    """Return the finite score of a trial that was done or pruned, else None."""
    score = row["score"]
    if row["status"] in MEASURED and score is not None and math.isfinite(score):
        return float(score)
    return None


def active_seconds(rows: Sequence[Row]) -> dict[str, float]:
    """Return when each trial ended, by name, in seconds since the first one started.

    Time in which no trial ran, such as a night between Ctrl-C and `--resume`, does not count.
    """
    ended: dict[str, float] = {}
    idle = until = 0.0
    for row in sorted(rows, key=lambda row: (row["started"], row["ended"])):
        idle += max(row["started"] - until, 0.0)  # Before the first trial: all time since 1970.
        until = max(until, row["ended"])
        ended[row["trial"]] = row["ended"] - idle
    return ended
