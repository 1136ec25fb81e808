"""What the figures of a search share: symbols, colours, numbers and texts. Light."""

from __future__ import annotations

import math
from typing import Any

from zoo.report.figures import plain
from zoo.report.search.outcome import SearchFiles

# Symbol of a trial by its status; a colour says its stage.
STATUS_SYMBOLS = {
    "done": "circle", "pruned": "circle-open", "diverged": "x", "timeout": "triangle-down",
    "failed": "cross",
}  # fmt: skip
STATUS_COLOURS = {
    "done": "var(--series-1)", "pruned": "var(--series-5)", "diverged": "var(--series-8)",
    "timeout": "var(--series-4)", "failed": "var(--series-6)",
}  # fmt: skip
MAX_LINES = 300  # Trials in a figure that draws a line for each.
MAX_TEXT = 60  # Characters of a name in a figure.


def literal(text: Any, most: int = MAX_TEXT) -> str:
    """Return text that Plotly shows as it is, on one line of at most so many characters."""
    line = " ".join(str(text).split())
    return plain(line if len(line) <= most else f"{line[: most - 3]}...")


def rounded(value: float | None) -> float | None:
    """Return a number with six significant digits, which no pixel tells from the whole one."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def score_axis(files: SearchFiles) -> dict[str, Any]:
    """Return Plotly's axis of the objective."""
    return {"title": {"text": literal(files.objective)}}
