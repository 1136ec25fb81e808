"""The trials and stages of a search as tables and figures take them. Light.

A row is a trial: its name `trial`, `stage`, `values` (by path), `status` (done, pruned, diverged,
timeout or failed), `score` as measured (None if there is none), `epochs`, `steps`, `seconds`,
`attempts`, `reason`, `seed`, and `started` and `ended` in Unix seconds. A stage has a `name` and a
`space` of ranges (`min_value`, `max_value`, `sampling`) and lists (`values`), by path.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
Stage = Mapping[str, Any]

MEASURED = ("done", "pruned")  # Statuses of trials whose score can be compared.


def searched(rows: Iterable[Row]) -> list[str]:
    """Return the paths of all hyperparameters that the rows have values for, sorted."""
    return sorted({path for row in rows for path in row["values"]})


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
