"""Progress of work: functions that are told about it, and bars on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Called with (items done, items in all, activity).
Progress = Callable[[int, int, str], None]


def no_progress(done: int, total: int, activity: str) -> None:
    """Ignore progress."""


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """Yield a function that shows a bar an activity; none without a terminal or under `-q`."""
    if console.quiet or not console.is_terminal:
        yield no_progress
        return
    from rich import progress as rich

    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn())
    with rich.Progress(
        *columns, rich.TimeRemainingColumn(), console=console, transient=True
    ) as bars:
        tasks: dict[str, Any] = {}

        def report(done: int, total: int, activity: str) -> None:
            if activity not in tasks:
                tasks[activity] = bars.add_task(activity, total=total)
            bars.update(tasks[activity], completed=done, total=total)

        yield report
