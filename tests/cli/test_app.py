"""The options of `zoo` itself, and its verbs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.calls import call
from zoo import __version__
from zoo.cli import app


def test_version() -> None:
    assert call("--version").stdout == f"zoo {__version__}\n"


def test_each_verb_is_a_module_and_stands_in_the_readme(root: Path) -> None:
    verbs = [
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    ]
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert set(verbs) == set(re.findall(r"^\| `zoo (\w+)", readme, re.MULTILINE))
    assert all((root / "zoo" / "cli" / f"{verb}.py").is_file() for verb in verbs)


def test_a_file_whose_name_begins_with_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-n10.jpg").touch()
    result = call("predict", "run", "-n10.jpg")
    assert result.exit_code == 2
    told = " ".join(result.stderr.replace("│", " ").split())
    assert "No such option: -n. -n10.jpg is a file: write ./-n10.jpg" in told
    assert "write ./" not in call("predict", "run", "-n11.jpg").stderr
