"""Shows a search to the user: a live table on a terminal, a bar in a notebook, else lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuning.listener import SearchListener
from tuning.refine.narrow import Narrowed, coverage
from tuning.space import Range, Space, limits
from tuning.trials import TrialRecord, TrialSpec, best_first
from zoo import notebook
from zoo.progress import rewritten_output
from zoo.recipe import Recipe
from zoo.recipe.tune import SearchStage, Tune
from zoo.rundir import Search
from zoo.text.counted import counted
from zoo.text.fitting import for_console
from zoo.text.printable import escaped

TOP_FRACTION = 0.05  # Of the space: a stage's line says how likely a trial lies in it.

LINES_BESIDE_TABLE = 4  # Of the terminal.


class SearchProgress(SearchListener):
    """Prints what happens in a search.

    Args:
        console: the console to print to; nothing is printed if it is quiet.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._output = rewritten_output(console)
        self._objective = "val_accuracy"
        self._workers = 1
        self._running: dict[str, tuple[TrialSpec, int, int]] = {}
        self._left: float | None = None
        self._done = 0
        self._begin_stage("", 0, 0)

    def begin(self, folder: Search, tune: Tune, recipe: Recipe, workers: int) -> None:
        """Prints the folder, and shows the table on a terminal."""
        self._objective, self._workers = tune.objective, workers
        self._print(f"search    {folder}: {workers} worker{'s' * (workers > 1)}")
        if self._console.is_terminal and not self._console.quiet:
            self._live = Live(
                get_renderable=self._table,
                console=self._console,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()

    def stage(
        self,
        stage: SearchStage,
        space: Space,
        records: Sequence[TrialRecord],
    ) -> None:
        """Prints the stage and its ranges."""
        self._begin_stage(stage.name, stage.trials, len(records))
        for record in records:
            self._compare(record)
        probability = coverage(stage.trials, TOP_FRACTION)
        self._print(
            f"stage     {stage.name}: {counted(stage.trials, 'trial')} of "
            f"{counted(stage.epochs, 'epoch')}; "
            f"{probability:.0%} chance that one of them lies in the best 5% of the space"
        )
        for path, dimension in space.items():
            scale = f" {dimension.sampling}" if isinstance(dimension, Range) else ""
            self._print(f"          {path} {limits(dimension)}{scale}")

    def confirming(self, best: Sequence[TrialRecord], seeds: int, done: int) -> None:
        """Prints which trials are confirmed, with how many seeds."""
        self._begin_stage("confirm", len(best) * seeds, done)
        names = ", ".join(record.trial for record in best)
        self._print(f"confirm   {names}: full trainings with {counted(seeds, 'fresh seed')} each")

    def started(self, spec: TrialSpec) -> None:
        """Adds the trial to the table."""
        self.step(spec, 0, 0)

    def step(self, spec: TrialSpec, step: int, steps: int) -> None:
        """Updates the table, or the bar."""
        self._running[spec.trial] = (spec, step, steps)
        self._show_bar()

    def finished(self, record: TrialRecord, total: int, left: float | None) -> None:
        """Prints the trial's line, above the table if there is one."""
        self._running.pop(record.trial, None)
        self._done += 1
        self._total, self._left = total, left
        self._timed += 1
        self._seconds += record.seconds + record.setup_seconds
        self._compare(record)
        status = self._status() if self._live is None else ""
        if self._output is None:
            self._print(f"{record.trial:<14} {_line(record)}{status}")
        self._show_bar()

    def note(self, text: str) -> None:
        """Prints a message."""
        self._print(text)

    def judged(self, stage: SearchStage, narrowed: Narrowed) -> None:
        """Prints how the ranges changed."""
        for message in narrowed.messages:
            self._print(f"          {message}")

    def end(self) -> None:
        """Removes the table."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._output is not None:
            self._output.keep()

    def _show_bar(self) -> None:
        """In a notebook, shows how much of the stage is done, and the best trial so far."""
        if self._output is None:
            return
        parts = (step / steps for _, step, steps in self._running.values() if steps)
        done, total, text = self._done + sum(parts), self._total, f"{self._name}{self._status()}"
        self._output.show(lambda: notebook.bar(round(100 * done), 100 * total, text))

    def _begin_stage(self, name: str, total: int, done: int) -> None:
        self._name, self._total = name, total
        self._done = done
        self._timed, self._seconds = 0, 0.0  # Trials that ended since then; the sum of theirs.
        self._best: TrialRecord | None = None

    def _compare(self, record: TrialRecord) -> None:
        """Remembers the best trial of the stage; of equal ones, the first."""
        if record.status == "done" and record.score is not None:
            previous = [] if self._best is None else [self._best]
            self._best = best_first([*previous, record], self._objective)[0]

    def _print(self, text: str) -> None:
        self._console.print(
            for_console(escaped(text), self._console),
            highlight=False, markup=False, emoji=False, soft_wrap=True,
        )  # fmt: skip

    def _status(self) -> str:
        """Number of trials, the best score, and the time left."""
        best = "" if self._best is None else f"  best {self._best.score:.4f}"
        text = f"{self._done}/{self._total}{best}"
        if self._timed and self._total > self._done:
            mean = self._seconds / self._timed
            text += f", {_clock(mean * (self._total - self._done) / self._workers)} to go"
        if self._left is not None:
            text += f", {_clock(max(self._left, 0.0))} of the limit left"
        return f"  [{text}]"

    def _table(self) -> RenderableType:
        """The table of the running trials, as many as the terminal has room for.

        A thread asks for it four times a second: a thousand workers send many more messages.
        """
        running = list(self._running.values())
        shown = running[: max(self._console.height - LINES_BESIDE_TABLE, 1)]
        table = Table(box=None, pad_edge=False, show_header=False)
        for spec, step, steps in shown:
            fraction = f"{step / steps:.0%}" if steps else "begins"
            table.add_row(spec.trial, fraction, _values(spec.values))
        heading = f"{self._name}  {time.strftime('%H:%M:%S')}{self._status()}"
        more = len(running) - len(shown)
        return Group(Text(heading), table, *([Text(f"and {more} more")] if more else []))


def _line(record: TrialRecord) -> str:
    score = "" if record.score is None else f"{record.score:.4f}"
    text = f"{record.status:<9}{score:>8}  {record.seconds:6.1f} s  {_values(record.values)}"
    return f"{text}  ({record.reason})" if record.reason else text


def _values(values: Mapping[str, Any]) -> str:
    """Values by the last word of their path."""
    return "  ".join(
        f"{path.rpartition('.')[2]} {f'{value:.4g}' if isinstance(value, float) else value}"
        for path, value in values.items()
    )


def _clock(seconds: float) -> str:
    """A duration as 1:02:03 or 2:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
