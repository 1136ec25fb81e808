"""What benchmarks/search.py measured: one side's search as figures, and all of them as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Any

BASE = "kt-random"  # Whose best score is the target, and whose time to it the measure.
EARLY = 10  # Memory after this trial, or a third of them, is compared to that after the last.
SAME = 1e-6  # One side says 0.98333 in 32 bits, another in 64.
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
        """(second, best score so far) at the end of each trial."""
        found, best = [], -math.inf
        for row in self.trials:
            if row["score"] is not None:
                best = max(best, row["score"])
                found.append((row["ended"], best))
        return found

    @property
    def best(self) -> float | None:
        return self.curve[-1][1] if self.curve else None

    @property
    def to_target(self) -> float | None:
        """Seconds until a trial's score was at least the target; None where none was."""
        if self.target is None:
            return None
        return next((at for at, best in self.curve if best > self.target - SAME), None)

    @property
    def overhead(self) -> float | None:
        """Seconds a trial beyond its training steps, the start of the process included."""
        steps = sum(row["steps"] for row in self.trials)
        spent = self.seconds - steps * self.step_seconds
        return spent / len(self.trials) if self.trials else None

    @property
    def share(self) -> float | None:
        """Of the seconds of all trials, those of diverged ones."""
        total = sum(row["seconds"] for row in self.trials)
        lost = sum(row["seconds"] for row in self.trials if row["trial"] in self.diverged)
        return lost / total if total else None

    @property
    def peak(self) -> float | None:
        return max((size for _, size in self.memory), default=0) / 1e6 or None

    @property
    def grown(self) -> float | None:
        """Memory after the last trial over that after an early one, less one."""
        early = min(EARLY, len(self.trials) // 3)
        if early < 1:
            return None
        after = [self._memory_at(self.trials[i]["ended"]) for i in (early - 1, -1)]
        return after[1] / after[0] - 1 if after[0] else None

    def _memory_at(self, second: float) -> int:
        return next((size for at, size in reversed(self.memory) if at <= second), 0)

    def figures(self, base: float | None) -> dict[str, float | None]:
        """The table's columns; `base` is the seconds to target of KerasTuner's RandomSearch."""
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


def table(found: list[Search]) -> str:
    """The results in columns, a line a search, and medians over the seeds."""
    head = f"{'seed':<7}{'side':<13}{'trials':>7}"
    lines = [head + "".join(f"{name:>10}" for name in COLUMNS)]
    by_side: dict[str, list[dict[str, float | None]]] = {}
    for search in found:
        base = next((s.to_target for s in found if (s.side, s.seed) == (BASE, search.seed)), None)
        figures = search.figures(base)
        by_side.setdefault(search.side, []).append(figures)
        line = f"{search.seed:<7}{search.side:<13}{len(search.trials):>7}{_row(figures)}"
        lines.append(f"{line}  {search.note}".rstrip())
    if len({search.seed for search in found}) > 1:
        for side, all_figures in by_side.items():
            middle = {name: _middle(name, [each[name] for each in all_figures]) for name in COLUMNS}
            reached = sum(each["to target"] is not None for each in all_figures)
            note = f"  target reached {reached} of {len(all_figures)} times"
            lines.append(f"{'median':<7}{side:<13}{'':>7}{_row(middle)}{note}")
    return "\n".join(lines)


def _middle(name: str, values: list[float | None]) -> float | None:
    """The median; what was never reached counts as worse than all that was."""
    worst = -math.inf if name in ("best", "faster") else math.inf
    middle = median(worst if value is None else value for value in values)
    return None if math.isnan(middle) or math.isinf(middle) else middle


def _row(figures: dict[str, float | None]) -> str:
    return "".join(f"{text(name, figures[name]):>10}" for name in COLUMNS)


def text(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    places = {"best": ".4f", "faster": ".2f", "overhead": ".2f", "diverged": ".0f", "MB": ".0f"}
    return f"{value:{places.get(name, '.1%' if name in ('share', 'grown') else '.1f')}}"
