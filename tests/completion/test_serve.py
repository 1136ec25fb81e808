"""What a shell gets: nothing that it could take for a command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from tests.completion.shells import Shell
from zoo.cli import app
from zoo.completion.scripts import script
from zoo.completion.serve import serve

GROUP = typer.main.get_command(app)
HOSTILE = """\
model:
  blocks:
    plain: {stack: []}
    "x;touch hurt;": {stack: []}
    "x$(touch hurt)": {stack: []}
    "x`touch hurt`": {stack: []}
    "x y": {stack: []}
  stack: [{"conv\\e[31m\\nrm": 1}]
"""
NAMES = ("$(touch hurt).yaml", "`touch hurt`.yaml", "q;touch hurt;.yaml", "-rf.yaml", "ü.yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("evil.yaml", *NAMES):
        (folder / name).write_text(HOSTILE, encoding="utf-8")
    return folder


Tab = Callable[[str, str], list[str]]


@pytest.fixture
def tab(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Tab:
    """The lines that a shell gets at a press of Tab behind a line."""

    def served(shell: str, line: str) -> list[str]:
        monkeypatch.setenv("_ZOO_COMPLETE", shell)
        monkeypatch.setenv("_ZOO_LINE", f"zoo {line}")
        monkeypatch.setattr("sys.argv", ["zoo", *shlex.split(line)])
        serve(GROUP)
        return os.fsdecode(capfdbinary.readouterr().out).splitlines()

    return served


def test_bash_gets_no_word_that_it_would_not_quote(tab: Tab) -> None:
    assert tab("bash", "train evil.yaml --set model.blocks.x") == [""]
    assert tab("bash", "train evil.yaml --set model.blocks.p") == ["nospace", "model.blocks.plain."]
    assert tab("bash", "train q") == ["files", "q;touch hurt;.yaml"]  # In this mode it quotes.
    assert tab("bash", "train ü") == ["files", "ü.yaml"]


def test_help_is_one_line_without_codes(tab: Tab) -> None:
    for shell in ("zsh", "fish"):
        lines = tab(shell, "train evil.yaml --set model.stack[")
        assert lines == ["model.stack[0].\tconv\\x1b[31m\\nrm"]


def test_a_locale_without_letters(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", open(1, "w", encoding="ascii", closefd=False))  # noqa: SIM115
    assert tab("fish", "train ü") == ["ü.yaml"]


def test_names_with_a_dash_are_no_flags(tab: Tab) -> None:
    lines = tab("fish", "predict x ''")
    assert "./-rf.yaml" in lines
    assert not any(line.startswith("-") for line in lines)


def test_a_pipe_in_the_place_of_a_recipe(tab: Tab, folder: Path) -> None:
    """Whoever opens it waits for somebody to write it, and the shell with him."""
    os.mkfifo(folder / "pipe.yaml")
    line = "train pipe.yaml --set train.epo"
    assert tab("fish", line)[0].startswith("train.epochs=")


def test_tab_runs_no_module_of_the_folder(folder: Path) -> None:
    """Where there is no command zoo, the script calls Python."""
    for name in ("yaml.py", "typer.py", "zoo.py"):
        (folder / name).write_text("open('hurt', 'w')", encoding="utf-8")
    text = script("fish")
    call = shlex.split(text[text.index("or set command ") :].splitlines()[0])[3:]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    made = subprocess.run(
        [*call, "tra"], cwd=folder, env={**environment, "_ZOO_COMPLETE": "fish"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout.startswith("train\t")
    assert not (folder / "hurt").exists()


def test_nothing_is_executed_in_bash(folder: Path) -> None:
    shell = Shell("bash", folder)
    try:
        assert shell.complete("zoo train \\$") == ["train", NAMES[0]]
        typed = "zoo train evil.yaml --set model.blocks.x"
        assert shell.complete(typed)[-1] == "model.blocks.x"
    finally:
        shell.close()
    assert not (folder / "hurt").exists()
