"""Progress of work that is counted, for people: a bar on a terminal. Light but for Rich."""

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
    """Told how far something is: `report(done, total, what)`."""

    def __call__(self, done: int, total: int, what: str) -> None: ...


@contextmanager
def counting(console: Console) -> Iterator[Report]:
    """A bar for work that is counted, such as reading images; nothing where it is no terminal."""
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
