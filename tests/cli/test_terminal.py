"""What verbs print on a terminal, into a pipe, without colours and without UTF-8."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests import terminal
from tests.terminal import Terminal, without_codes

DONE, SEARCH = "tests/old_files/done", "tests/old_files/searched"
# What each verb prints that loads no framework, with its exit code: results and mistakes.
VERBS = [
    ("list", 0),
    ("show digits-tiny", 0),
    ("show resnet20", 0),
    ("show digits-tiny --set model.weights={from:\x20nowhere}", 0),
    ("show digits-tinny", 2),
    (f"show {DONE}", 0),
    (f"show {SEARCH}", 0),
    ("diff digits-tiny vgg16-bn", 0),
    (f"diff {DONE} tests/old_files/stopped", 0),
    ("runs tests/old_files --expand", 0),
    ("runs tests/old_files --clean --dry-run", 0),
    ("runs nowhere", 2),
    ("schema --write nowhere/x.yaml", 2),
    ("new nowhere", 3),
    ("check digits-tinny", 2),
    ("train digits-tiny --set train.epochs=0 --set foo=1", 2),
    ("train", 2),
    ("train --resume nothing", 2),
    ("tune --resume nothing", 2),
    ("evaluate tests/old_files/diverging", 2),
    ("predict tests README.md", 2),
    ("export nothing", 2),
    ("report nothing", 2),
    ("serve nothing", 2),
    ("doctor --devices none", 2),
]
ALL_WIDTHS = ("list", "show resnet20", "train --resume nothing")
HELP = ["train --help", "bogus"]
# Lines that are as wide as they are: what a user copies.
TO_COPY = ("`zoo ", "  zoo ", "with: zoo ", "recipe: zoo ")


@pytest.fixture(scope="module")
def screen() -> Iterator[Terminal]:
    """Runs commands on terminals."""
    with terminal.opened() as opened:
        yield opened


def words(command: str) -> list[str]:
    """The arguments of a command; `\x20` in it is a space that separates none."""
    marked = command.replace("from: ", "from:\0")
    return [word.replace("\0", " ") for word in marked.split(" ")]


def too_wide(text: str, width: int) -> list[str]:
    """Lines that a terminal would break in the middle of a word that is nothing to copy."""
    return [
        line
        for line in without_codes(text).split("\n")
        if len(line) > width
        and " " in line.strip()
        and not any(part in line or line.startswith(part.strip()) for part in TO_COPY)
    ]


@pytest.mark.parametrize("command, code", VERBS)
def test_lines_fit_and_no_word_is_cut(command: str, code: int, screen: Terminal) -> None:
    """On terminals of any width stand the words of the pipe."""
    ended, piped = screen.run(*words(command), width=None)
    assert ended == code, piped
    assert "\x1b" not in piped
    assert "\r" not in piped
    for width in (60, 80, 200) if command in ALL_WIDTHS else (60,):
        text = screen.run(*words(command), width=width, NO_COLOR="1")[1]
        assert too_wide(text, width) == []
        assert sorted(text.split()) == sorted(piped.split()), width


@pytest.mark.parametrize("command", HELP)
def test_help_and_unknown_words(command: str, screen: Terminal) -> None:
    """Typer draws boxes and colours them."""
    assert "\x1b[" in screen.run(*words(command))[1]
    for width in (60, 200):
        text = screen.run(*words(command), width=width, NO_COLOR="1")[1]
        assert "\x1b" not in text
        assert max(map(len, text.split("\n"))) <= width
    assert "\x1b" not in screen.run(*words(command), TERM="dumb")[1]
    assert "\x1b" not in screen.run(*words(command), width=None)[1]


def test_columns_wins_over_the_terminal(screen: Terminal) -> None:
    narrow = screen.run("list", width=200, COLUMNS="60")[1]
    assert too_wide(narrow, 60) == []
    assert narrow == screen.run("list", width=60)[1]
    piped = screen.run("list", width=None, COLUMNS="60")[1]  # Programs read whole lines.
    assert piped == screen.run("list", width=None)[1]
    assert screen.run("list", width=60, COLUMNS="many")[1] == narrow


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_without_utf_8(encoding: str, screen: Terminal) -> None:
    """`±`, bars and boxes become other letters; nothing ends with a traceback."""
    for command in ("list", "--help", "runs tests/old_files"):
        code, text = screen.run(*words(command), encoding=encoding)
        assert "Traceback" not in text
        assert code in (0, 2)
    assert "0.8954 ? 0.0033" in screen.run("list", encoding="ascii")[1]


def test_yaml_stays_as_it_is(screen: Terminal) -> None:
    """A recipe that is copied from a terminal is read as it was."""
    command = ("show", "digits-tiny", "--yaml")
    assert screen.run(*command, width=60)[1] == screen.run(*command, width=None)[1]


def test_the_user_is_asked_on_a_terminal(screen: Terminal) -> None:
    """A pipe is refused (tests/cli/test_runs.py); a terminal that nobody types on stays."""
    text = screen.run("runs", "docs", "--clean")[1]
    assert re.search("nothing to remove", text)
