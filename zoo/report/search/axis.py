"""Where the values of a hyperparameter lie on an axis. Light.

Rows and stages are those of `zoo.report.search.rows`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from zoo.report.search.rows import Row, Stage, as_word

MAX_LABEL = 36  # Characters.
BOUNDS = ("min_value", "max_value")


class Axis:
    """Axis of one hyperparameter: numbers at their value, others at their index in `tick_labels`.

    Args:
        path: of the hyperparameter.
        rows: the trials.
        stages: in their order.
        label: what it is called; None for the path, or the end of one that is long.

    Attributes:
        label: what it is called.
        tick_labels: values as written in a recipe, of a list; None for a range of numbers.
        log: a stage sampled the values logarithmically.
        low: lowest position.
        high: highest position.
    """

    def __init__(
        self, path: str, rows: Sequence[Row], stages: Sequence[Stage], label: str | None = None
    ) -> None:
        self.path = path
        spaces = [stage["space"][path] for stage in stages if path in stage["space"]]
        drawn = [row["values"][path] for row in rows if path in row["values"]]
        listed = [value for space in spaces for value in space.get("values", ())]
        brief = path if len(path) <= MAX_LABEL else f"...{path[3 - MAX_LABEL :]}"
        self.label = brief if label is None else label
        self.tick_labels: list[str] | None = None
        if listed or not all(map(is_number, drawn)):
            self.tick_labels = list(dict.fromkeys(as_word(value) for value in [*listed, *drawn]))
        self.log = self.tick_labels is None and any(
            space.get("sampling") == "log" for space in spaces
        )
        bounds = [] if self.tick_labels else [space[bound] for space in spaces for bound in BOUNDS]
        positions = [self.position(value) for value in [*drawn, *listed, *bounds]]
        known = [position for position in positions if position is not None] or [0.0]
        self.low, self.high = min(known), max(known)

    def position(self, value: Any) -> float | None:
        """Return where a value lies on the axis; None if it cannot, such as 0 in log space."""
        if self.tick_labels is not None:
            return float(self.tick_labels.index(as_word(value)))
        return None if self.log and value <= 0 else float(value)

    def row_position(self, row: Row) -> float | None:
        """Return where the trial's value lies on the axis; None if it has none."""
        return self.position(row["values"][self.path]) if self.path in row["values"] else None

    def fraction(self, row: Row) -> float:
        """Return where the trial's value lies from 0 to 1 along the axis; NaN if it has none."""
        position = self.row_position(row)
        if position is None:
            return math.nan
        low, high = self.low, self.high
        if self.log:
            low, high, position = math.log(low), math.log(high), math.log(position)
        return (position - low) / (high - low) if high > low else 0.5

    def tick(self, position: float) -> str:
        """Return the text at a position."""
        if self.tick_labels is not None:
            return self.tick_labels[round(position)]
        return f"{position:.3g}".replace("e-0", "e-").replace("e+0", "e+")


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; `true` and `false` are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
