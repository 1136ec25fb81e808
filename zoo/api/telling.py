"""How a verb talks to a Python program or a notebook: lines, bars, and errors as exceptions."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from zoo.api.wording import for_python
from zoo.errors import Problem
from zoo.notebook import in_notebook
from zoo.text.printable import escaped, one_line
from zoo.verbs.teller import Teller

if TYPE_CHECKING:
    from rich.console import Console


class PythonTeller(Teller):
    """Prints progress to stderr, in a notebook below the cell; lets errors through as `ZooError`.

    Args:
        quiet: whether nothing is printed.
    """

    def __init__(self, quiet: bool = False) -> None:
        super().__init__(quiet)
        self._notebook = in_notebook()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        told = None if error is None else self.expected(error)
        if told is not None and told is not error:
            raise told from error

    def text(self, text: str, *, as_is: bool = False) -> None:
        """Print a result in words, its lines as they are."""
        self._print(escaped(text))

    def note(self, text: str) -> None:
        """Print a line of progress."""
        self._print(one_line(text))

    def remark(self, text: str) -> None:
        """Print a line that belongs to the result."""
        self._print(one_line(text))

    def warn(self, problem: Problem) -> None:
        """Print a problem that does not stop the verb."""
        super().warn(problem)
        self._print(f"warning: {self.warnings[-1]}")

    def console(self) -> Console:
        """Make a console that prints where the lines go."""
        if self._notebook:
            from zoo.notebook_console import NotebookConsole

            return _worded(NotebookConsole(self.quiet))

        from zoo.progress import terminal_console

        return _worded(terminal_console(self.quiet))

    def _print(self, line: str) -> None:
        if not self.quiet:
            print(for_python(line), file=sys.stdout if self._notebook else sys.stderr)


def _worded(console: Console) -> Console:
    """A console whose lines are worded for Python."""
    plain = console.print

    def print_worded(*objects: Any, **options: Any) -> None:
        plain(*(for_python(each) if isinstance(each, str) else each for each in objects), **options)

    console.print = print_worded  # type: ignore[method-assign]
    return console
