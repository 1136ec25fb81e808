"""A bar is shown on a terminal only."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from zoo import progress
from zoo.progress import no_progress, progress_bar, status


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "quiet": True}])
def test_no_bar(options: dict[str, bool]) -> None:
    stream = io.StringIO()
    with progress_bar(Console(file=stream, **options)) as report:
        assert report is no_progress
        report(1, 2, "reading")
    assert stream.getvalue() == ""


def test_bar_an_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0)
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


def test_quick_work_flashes_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 1000)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80)
    with progress_bar(console) as report:
        report(1, 2, "reading")
    with status(console, "searching") as show:
        show("reading")
    assert stream.getvalue() == ""


def test_no_styles_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert progress.terminal_console(quiet=False).color_system is not None
    monkeypatch.setenv("NO_COLOR", "1")
    assert progress.terminal_console(quiet=False).color_system is None
