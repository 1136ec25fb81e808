"""What a person sees of a search: a live table on a terminal, a line a trial elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuning.refine import narrow
from tuning.scheduler import Row, SearchListener
from tuning.space import Range, Values, limits
from tuning.trials import TrialSpec
from zoo.recipe import Recipe
from zoo.recipe.tune import SearchStage, Tune
from zoo.rundir import Search


class SearchProgress(SearchListener):
    """Prints a search.

    Args:
        console: on stderr; nothing is printed where it is quiet.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live: Live | None = None
        self.running: dict[str, tuple[TrialSpec, int, int]] = {}
        self.best: Row | None = None
        self.name = ""
        self.done = self.total = 0
        self.left: float | None = None
        self.seconds: list[float] = []
        self.sign = 1.0

    def begin(self, folder: Search, tune: Tune, recipe: Recipe, workers: int) -> None:
        self.folder, self.tune, self.workers = folder, tune, workers
        self.sign = 1.0 if tune.objective == "val_accuracy" else -1.0
        self._print(f"search    {folder}: {workers} worker{'s' * (workers > 1)}")
        if self.console.is_terminal and not self.console.quiet:
            self.live = Live(console=self.console, refresh_per_second=4, transient=True)
            self.live.start()

    def stage(
        self, stage: SearchStage, space: Mapping[str, Range | Values], rows: Sequence[Row]
    ) -> None:
        self._anew(stage.name, stage.trials, len(rows))
        for row in rows:
            self._compare(row)
        share = narrow.coverage(stage.trials, 0.05)
        self._print(
            f"stage     {stage.name}: {stage.trials} trials of {stage.epochs} epochs; at least one "
            f"in the best 5 % of the space with {share:.0%}"
        )
        for path, dimension in space.items():
            scale = f" {dimension.sampling}" if isinstance(dimension, Range) else ""
            self._print(f"          {path} {limits(dimension)}{scale}")

    def confirming(self, best: Sequence[Row], seeds: int, done: int) -> None:
        self._anew("confirm", len(best) * seeds, done)
        names = ", ".join(row["trial"] for row in best)
        self._print(f"confirm   {names}: whole trainings with {seeds} fresh seeds each")

    def started(self, job: TrialSpec) -> None:
        self.running[job.trial] = (job, 0, 0)
        self._show()

    def step(self, job: TrialSpec, step: int, steps: int) -> None:
        self.running[job.trial] = (job, step, steps)
        self._show()

    def finished(self, row: Row, total: int, left: float | None) -> None:
        self.running.pop(row["trial"], None)
        self.done, self.total, self.left = self.done + 1, total, left
        self.seconds.append(row["seconds"] + row["setup_seconds"])
        self._compare(row)
        # Above the live table, where there is one.
        rest = self._rest() if self.live is None else ""
        self._print(f"{row['trial']:<14} {self._line(row)}{rest}")
        self._show()

    def _anew(self, name: str, total: int, done: int) -> None:
        self.name, self.done, self.total = name, done, total
        self.seconds = []
        self.best = None

    def _compare(self, row: Row) -> None:
        """Keeps the best of a stage."""
        if row["status"] != "done" or row["score"] is None:
            return
        if self.best is None or self.sign * row["score"] > self.sign * self.best["score"]:
            self.best = row

    def note(self, text: str) -> None:
        self._print(text)

    def judged(self, stage: SearchStage, found: narrow.Narrowed) -> None:
        for words in found.words:
            self._print(f"          {words}")

    def end(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _print(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _line(self, row: Row) -> str:
        score = "" if row["score"] is None else f"{row['score']:.4f}"
        values = "  ".join(f"{_last(path)} {_short(v)}" for path, v in row["values"].items())
        text = f"{row['status']:<9}{score:>8}  {row['seconds']:6.1f} s  {values}"
        return f"{text}  ({row['reason']})" if row["reason"] else text

    def _rest(self) -> str:
        best = "" if self.best is None else f"  best {self.best['score']:.4f}"
        return f"  [{self.done}/{self.total}{best}{self._times()}]"

    def _times(self) -> str:
        text = ""
        if self.seconds and self.total > self.done:
            mean = sum(self.seconds) / len(self.seconds)
            text += f", {_clock(mean * (self.total - self.done) / self.workers)} to go"
        if self.left is not None:
            text += f", {_clock(max(self.left, 0.0))} of the limit left"
        return text

    def _show(self) -> None:
        if self.live is None:
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        for job, step, steps in self.running.values():
            share = f"{step / steps:.0%}" if steps else "begins"
            values = "  ".join(f"{_last(path)} {_short(v)}" for path, v in job.values.items())
            table.add_row(job.trial, share, values)
        head = f"{self.name}  {time.strftime('%H:%M:%S')}{self._rest()}"
        self.live.update(Group(Text(head), table))


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
