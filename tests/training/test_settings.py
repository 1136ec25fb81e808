"""Lines that a training prints hold names of files, which command neither terminal nor Rich."""

from __future__ import annotations

import io

from rich.console import Console

from zoo.training.settings import TrainingSettings


def test_a_note_is_one_line_as_it_is() -> None:
    stream = io.StringIO()
    settings = TrainingSettings(console=Console(file=stream, width=20))
    settings.print_note("left out a[/b]x\n[red]note: \x1b[2J :smile: and so on")
    assert stream.getvalue() == (
        r"note: left out a[/b]x\n[red]note: \x1b[2J :smile: and so on" + "\n"
    )
