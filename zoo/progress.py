"""Progress bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class Report(Protocol):
    """A function that is told how far some work is."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Report that `done` of `total` items of the work named `what` are done."""


@contextmanager
def counting(console: Console) -> Iterator[Report]:
    """Show a bar a kind of work, such as reading images; nothing if stderr is not a terminal."""
    if console.quiet or not console.is_terminal:
        yield lambda done, total, what: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report
