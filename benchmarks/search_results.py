"""The figures and the table of benchmarks/search.py."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Any

BASE = "kt-random"  # Its best score is the target; other sides are compared with its time to it.
EARLY = 10  # The last trial's memory is compared with this trial's, or that at a third of all.
TOLERANCE = 1e-6  # Some sides report scores in 32 bits, others in 64.
COLUMNS = ("best", "seconds", "to target", "faster", "overhead", "diverged", "share", "MB", "grown")


@dataclass
class Search:
    """One side's search with one seed; times are seconds since its process started."""

    side: str
    seed: int
    seconds: float
    trials: list[dict[str, Any]]
    memory: list[tuple[float, int]]  # (second, bytes of the process and its children)
    step_seconds: float
    note: str = ""
    target: float | None = None
    diverged: list[int] = field(default_factory=list)

    @property
    def curve(self) -> list[tuple[float, float]]:
        """Pairs of second and best score so far, at the end of each trial."""
        points, best = [], -math.inf
        for row in self.trials:
            if row["score"] is not None:
                best = max(best, row["score"])
                points.append((row["ended"], best))
        return points

    @property
    def best(self) -> float | None:
        """Best score of all trials."""
        return self.curve[-1][1] if self.curve else None

    @property
    def to_target(self) -> float | None:
        """Seconds until a trial reached the target; None if none did."""
        if self.target is None:
            return None
        return next((at for at, best in self.curve if best > self.target - TOLERANCE), None)

    @property
    def overhead(self) -> float | None:
        """Seconds a trial beyond its training steps, including the start of the process."""
        steps = sum(row["steps"] for row in self.trials)
        spent = self.seconds - steps * self.step_seconds
        return spent / len(self.trials) if self.trials else None

    @property
    def share(self) -> float | None:
        """Share of diverged trials in the seconds of all trials."""
        total = sum(row["seconds"] for row in self.trials)
        lost = sum(row["seconds"] for row in self.trials if row["trial"] in self.diverged)
        return lost / total if total else None

    @property
    def peak(self) -> float | None:
        """Peak memory in MB."""
        return max((size for _, size in self.memory), default=0) / 1e6 or None

    @property
    def grown(self) -> float | None:
        """Relative growth of memory from an early trial to the last."""
        early = min(EARLY, len(self.trials) // 3)
        if early < 1:
            return None
        after = [self._memory_at(self.trials[i]["ended"]) for i in (early - 1, -1)]
        return after[1] / after[0] - 1 if after[0] else None

    def _memory_at(self, second: float) -> int:
        return next((size for at, size in reversed(self.memory) if at <= second), 0)

    def figures(self, base: float | None) -> dict[str, float | None]:
        """Return the table's columns; `base` is KerasTuner's RandomSearch's seconds to target."""
        reached = self.to_target
        values = (
            self.best,
            self.seconds,
            reached,
            base / reached if base and reached else None,
            self.overhead,
            float(len(self.diverged)),
            self.share,
            self.peak,
            self.grown,
        )
        return dict(zip(COLUMNS, values, strict=True))


def table(searches: list[Search]) -> str:
    """Format the results in columns, a line a search, with medians over the seeds."""
    head = f"{'seed':<7}{'side':<13}{'trials':>7}"
    lines = [head + "".join(f"{name:>10}" for name in COLUMNS)]
    by_side: dict[str, list[dict[str, float | None]]] = {}
    for search in searches:
        base = next((s for s in searches if (s.side, s.seed) == (BASE, search.seed)), None)
        figures = search.figures(base.to_target if base else None)
        by_side.setdefault(search.side, []).append(figures)
        line = f"{search.seed:<7}{search.side:<13}{len(search.trials):>7}{_row(figures)}"
        lines.append(f"{line}  {search.note}".rstrip())
    if len({search.seed for search in searches}) > 1:
        for side, all_figures in by_side.items():
            medians = {name: _median(name, [row[name] for row in all_figures]) for name in COLUMNS}
            reached = sum(row["to target"] is not None for row in all_figures)
            note = f"  target reached {reached} of {len(all_figures)} times"
            lines.append(f"{'median':<7}{side:<13}{'':>7}{_row(medians)}{note}")
    return "\n".join(lines)


def _median(name: str, values: list[float | None]) -> float | None:
    """Return the median; None counts as worse than all values."""
    worst = -math.inf if name in ("best", "faster") else math.inf
    middle = median(worst if value is None else value for value in values)
    return middle if math.isfinite(middle) else None


def _row(figures: dict[str, float | None]) -> str:
    return "".join(f"{text(name, figures[name]):>10}" for name in COLUMNS)


def text(name: str, value: float | None) -> str:
    """Format a value of a column."""
    if value is None:
        return "-"
    places = {"best": ".4f", "faster": ".2f", "overhead": ".2f", "diverged": ".0f", "MB": ".0f"}
    return f"{value:{places.get(name, '.1%' if name in ('share', 'grown') else '.1f')}}"
