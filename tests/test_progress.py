"""A bar is shown on a terminal only."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from zoo.progress import no_progress, progress_bar


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "quiet": True}])
def test_no_bar(options: dict[str, bool]) -> None:
    stream = io.StringIO()
    with progress_bar(Console(file=stream, **options)) as report:
        assert report is no_progress
        report(1, 2, "reading")
    assert stream.getvalue() == ""


def test_bar_an_activity() -> None:
    stream = io.StringIO()
    with progress_bar(Console(file=stream, force_terminal=True, width=80)) as report:
        for done in (1, 2):
            report(done, 2, "reading")
        report(5, 10, "hashing")
    shown = stream.getvalue()
    assert "reading" in shown
    assert "2/2" in shown
    assert "hashing" in shown
    assert "5/10" in shown
