"""Progress in a notebook: one output that is rewritten, seldom."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from zoo import notebook
from zoo.notebook_console import NotebookConsole
from zoo.progress import no_progress, progress_bar, status


class Shown:
    """Stands for IPython's handle of an output, and notes what it shows."""

    contents: list[dict[str, str]]

    def display(self, content: dict[str, str], raw: bool) -> None:
        assert raw
        Shown.contents.append(content)

    update = display


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What an output showed, one after the other; the clock stands still unless it is moved."""
    Shown.contents = []
    module = SimpleNamespace(DisplayHandle=Shown)
    monkeypatch.setitem(sys.modules, "IPython.display", module)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=module))  # type: ignore[arg-type]
    return Shown.contents


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(notebook, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_bar_is_shown_late_rewritten_seldom_and_taken_away(
    shown: list[Any], clock: list[float]
) -> None:
    with progress_bar(NotebookConsole()) as report:
        report(1, 9, "reading")
        assert shown == []
        clock[0] = 0.6
        for done in range(1000):
            report(done, 1000, "<reading>")
        assert len(shown) == 1
        assert "&lt;reading&gt;" in shown[0]["text/html"]
        clock[0] = 1.0
        report(5, 1000, "reading")
        assert 'value="5" max="1000"' in shown[1]["text/html"]
        report(6, 1000, "reading")
    assert shown[2:] == [notebook.NOTHING]


def test_quick_work_shows_nothing(shown: list[Any], clock: list[float]) -> None:
    with progress_bar(NotebookConsole()) as report:
        report(9, 9, "reading")
    with status(NotebookConsole(), "checking") as show:
        show("checking C05")
    assert shown == []
    with progress_bar(NotebookConsole(quiet=True)) as report:
        assert report is no_progress


def test_what_is_kept_is_the_newest(shown: list[Any], clock: list[float]) -> None:
    output = notebook.RewrittenOutput()
    for text in ("one", "two"):
        output.show(lambda text=text: notebook.line(text))
    output.keep()
    assert shown == [{"text/html": "<code>two</code>", "text/plain": "two"}]
    output.clear()
    assert shown[-1] == notebook.NOTHING


def test_lines_are_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    console = NotebookConsole()
    console.print("[b]epoch 1/2", markup=False, highlight=False)
    assert capsys.readouterr().out == "[b]epoch 1/2\n"


def test_a_terminal_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not notebook.in_notebook()
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(
        sys.modules,
        "IPython",
        SimpleNamespace(get_ipython=lambda: shell),  # type: ignore[arg-type]
    )
    assert notebook.in_notebook()
    del shell.kernel
    assert not notebook.in_notebook()
