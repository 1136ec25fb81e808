"""The rows and stages of a search as tables and figures take them. Light.

A row is a trial: its name `trial`, `stage`, `values` (by path), `status` (done, pruned, diverged,
timeout or failed), `score` as measured (None where there is none), `epochs`, `steps`, `seconds`,
`attempts`, `reason`, `seed`, and `started` and `ended` in Unix seconds. A stage has a `name` and a
`space` of ranges (`min_value`, `max_value`, `sampling`) and lists (`values`), by path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
Stage = Mapping[str, Any]

MEASURED = ("done", "pruned")  # The statuses of trials that have a score to compare.


def searched(rows: Iterable[Row]) -> list[str]:
    return sorted({path for row in rows for path in row["values"]})


def as_word(value: Any) -> str:
    """As a recipe says it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def score_of(row: Row) -> float | None:
    """Of a trial that was done or pruned; None where it has none to compare."""
    score = row["score"]
    return (
        score if row["status"] in MEASURED and score is not None and math.isfinite(score) else None
    )
