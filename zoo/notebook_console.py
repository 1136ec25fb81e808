"""The console of a notebook's cell: lines of text, and a bar that is rewritten."""

from __future__ import annotations

import sys

from rich.console import Console

from zoo.notebook import RewrittenOutput


class NotebookConsole(Console):
    """Prints lines as the cell's plain output, in black, not as errors.

    Rich's own console would make an output of HTML for each line. Whoever shows progress asks for
    this class and takes its `output`.

    Args:
        quiet: whether nothing is printed.

    Attributes:
        output: the place of progress.
    """

    def __init__(self, quiet: bool = False) -> None:
        super().__init__(
            file=sys.stdout, quiet=quiet, force_jupyter=False, force_terminal=False, no_color=True
        )
        self.output = RewrittenOutput()
