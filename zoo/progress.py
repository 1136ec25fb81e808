"""Progress of work: functions that are told about it, and bars on a terminal or in a notebook."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo import notebook

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.notebook import RewrittenOutput

DELAY = 0.5  # Seconds of work before a bar appears.
# Called with (items done, items in all, activity).
Progress = Callable[[int, int, str], None]


def no_progress(done: int, total: int, activity: str) -> None:
    """Ignore progress."""


def terminal_console(quiet: bool) -> Console:
    """Make the console on stderr that takes lines and bars.

    Where NO_COLOR is set, it prints no codes for styles.

    Args:
        quiet: whether it prints nothing.
    """
    from rich.console import Console

    colors: Any = None if os.environ.get("NO_COLOR") else "auto"
    return Console(stderr=True, quiet=quiet, highlight=False, color_system=colors)


def rewritten_output(console: Console) -> RewrittenOutput | None:
    """The place for progress in a notebook's cell; None on a terminal, and under `-q`."""
    from zoo.notebook_console import NotebookConsole

    if console.quiet or not isinstance(console, NotebookConsole):
        return None
    return console.output


@contextmanager
def progress_bar(console: Console) -> Iterator[Progress]:
    """Yield a function that shows a bar an activity.

    It shows nothing under `-q`, nor where there is neither a terminal nor a notebook.
    """
    output = rewritten_output(console)
    if output is not None:

        def show(done: int, total: int, activity: str) -> None:
            output.show(partial(notebook.bar, done, total, f"{done:,}/{total:,} {activity}"))

        try:
            yield show
        finally:
            output.clear()
        return
    if console.quiet or not console.is_terminal:
        yield no_progress
        return
    from rich import progress as rich

    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn())
    bars = rich.Progress(*columns, rich.TimeRemainingColumn(), console=console, transient=True)
    tasks: dict[str, Any] = {}

    def report(done: int, total: int, activity: str) -> None:
        if activity not in tasks:
            tasks[activity] = bars.add_task(activity, total=total)
        bars.update(tasks[activity], completed=done, total=total)

    with _shown_later(bars.start, bars.stop):
        yield report


@contextmanager
def _shown_later(start: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Start a bar once work has lasted for `DELAY`; what is quick flashes none.

    Args:
        start: shows the bar.
        stop: removes it.
    """
    timer = threading.Timer(DELAY, start)
    timer.daemon = True
    timer.start()
    if not DELAY:
        timer.join()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # It may be starting the bar just now.
        stop()


@contextmanager
def status(console: Console, activity: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that replaces a line about work whose amount is unknown; shown like a bar.

    Args:
        console: where it is shown.
        activity: the first line.
    """
    output = rewritten_output(console)
    if output is None:
        line = console.status(activity)
        with _shown_later(line.start, line.stop):
            yield line.update
        return

    def show(text: str) -> None:
        output.show(lambda: notebook.line(text))

    show(activity)
    try:
        yield show
    finally:
        output.clear()
