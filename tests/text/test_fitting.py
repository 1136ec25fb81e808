"""Lines that are broken for a terminal lose nothing, and stay in its width where they can."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from zoo.text import width as widths
from zoo.text.columns import columns
from zoo.text.fitting import VERBS, fitted, for_console, for_stream
from zoo.text.width import terminal_width


@pytest.mark.parametrize(
    "text, width, expected",
    [
        ("short", 20, "short"),
        ("one two three four", 9, "one two\n  three\n  four"),
        ("status      it was interrupted", 40, "status      it was interrupted"),
        ("status      it was interrupted by a signal", 37,
         "status      it was interrupted by a\n            signal"),
        ("it was stopped; resume it with: zoo train --resume runs/a b. Or not", 30,
         "it was stopped; resume it\n  with:\n  zoo train --resume runs/a b.\n  Or not"),
        ("see `zoo train --resume x` and `zoo export x`", 30,
         "see `zoo train --resume x` and\n  `zoo export x`"),
        ("it takes about 12.5 kB of space", 19, "it takes about\n  12.5 kB of space"),
        ("a/very/long/path/that/goes/on", 10, "a/very/long/path/that/goes/on"),
        ("in zoo everything is a word", 12, "in zoo\n  everything\n  is a word"),
    ],
)  # fmt: skip
def test_lines(text: str, width: int, expected: str) -> None:
    assert fitted(text, width) == expected
    assert fitted(text, None) == text


@given(st.text("abz o:.;`1kB\n  ", max_size=200), st.integers(20, 100))
def test_nothing_is_lost(text: str, width: int) -> None:
    made = fitted(text, width)
    assert made.split() == text.split()
    assert all(
        len(line) <= width or len(line.split()) == 1 or "zoo" in line or "`" in line
        for line in made.split("\n")
    )


@given(
    st.lists(st.lists(st.text("abc", min_size=1, max_size=30), min_size=4, max_size=4), min_size=1),
    st.integers(20, 100),
)
def test_tables_lose_nothing(rows: list[list[str]], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.text.columns.terminal_width", lambda: width)
        folded = columns(rows)
    assert folded.split() == [cell for row in rows for cell in row]
    assert all(len(line) <= max(width, 32) for line in folded.split("\n"))


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal_width(io.StringIO()) is None
    assert terminal_width(Screen()) == widths.USUAL  # It has no number to be asked by.
    for columns_, expected in (("100", 100), ("1", 20), ("0", 80), ("-5", 80), ("many", 80)):
        monkeypatch.setenv("COLUMNS", columns_)
        assert terminal_width(Screen()) == expected
        assert terminal_width(io.StringIO()) is None


def test_streams_and_consoles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = "one two three four five"
    assert for_stream(text, Screen()) == "one two three four\n  five"
    assert for_stream(text, io.StringIO()) == text
    assert for_console(text, Console(width=20, force_terminal=True)) == "one two three four\n  five"
    assert for_console(text, Console(width=20, force_terminal=False)) == text


def test_commands_of_every_verb_stay_whole() -> None:
    from zoo.cli import app

    verbs = {
        each.name or each.callback.__name__ for each in app.registered_commands if each.callback
    }
    assert verbs == set(VERBS)
