"""`zoo check --fix` at the command line: asks, writes, checks again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.cli.calls import call, document, require_error
from zoo.cli import app
from zoo.loading import load

TEXT = """\
name: mine
data: {preset: digits, preprocess: none}  # eight by eight
model:
  defaults: {batch_norm: none}
  stack:
    - conv: {filters: 4}
train:
  epochs: 2
"""
FIXED = TEXT.replace("preprocess: none", "preprocess: channel_meanstd")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_fixed(recipe: Path) -> None:
    result = call("check", "mine.yaml", "--only", "C01,C25", "--fix", "--yes")
    assert result.exit_code == 0, result.output
    assert recipe.read_text("utf-8") == FIXED
    lines = result.stdout.splitlines()
    assert "-data: {preset: digits, preprocess: none}  # eight by eight" in lines
    assert "+data: {preset: digits, preprocess: channel_meanstd}  # eight by eight" in lines
    assert "written   mine.yaml:2: data.preprocess; before: none" in lines
    assert lines[-1].split()[:4] == ["C01", "input", "scale", "FAIL"]
    assert "PASS" in lines[-1]
    assert "checking again: C01\n" in result.stderr


@pytest.mark.slow
def test_asked(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written unless the answer is yes; without a terminal nobody can give it."""
    arguments = ["check", "mine.yaml", "--only", "C01", "--fix"]
    result = call(*arguments)
    assert result.exit_code == 1
    assert "add --yes" in result.stderr
    monkeypatch.setattr("zoo.cli.check_fix.can_ask", lambda: True)
    declined: Any = CliRunner().invoke(app, arguments, input="n\n")
    assert declined.exit_code == 1
    assert "Write 1 change to mine.yaml?" in declined.stderr
    assert recipe.read_text("utf-8") == TEXT
    agreed: Any = CliRunner().invoke(app, arguments, input="y\n")
    assert agreed.exit_code == 0
    assert recipe.read_text("utf-8") == FIXED


@pytest.mark.slow
def test_another_file(recipe: Path) -> None:
    result = call("check", "mine.yaml", "--only", "C01", "--fix", "--yes", "--write", "new.yaml",
                  "--set", "train.epochs=5", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert recipe.read_text("utf-8") == TEXT
    assert load("new.yaml") == load("mine.yaml", ["data.preprocess=channel_meanstd",
                                                  "train.epochs=5"])  # fmt: skip
    fix = document(result)["fix"]
    assert fix["file"] == "new.yaml"
    assert fix["changes"] == [
        {"check": "C01", "path": "data.preprocess", "before": "none", "value": "channel_meanstd",
         "line": 2}
    ]  # fmt: skip
    assert fix["left"] == []
    assert [each["verdict"] for each in fix["after"]] == ["PASS"]


def test_what_cannot_be_written_is_refused_before_anything_is_measured(recipe: Path) -> None:
    require_error(call("check", "digits-tiny", "--fix"), 2, "digits-tiny ships with zoo")
    recipe.chmod(0o444)
    require_error(call("check", "mine.yaml", "--fix"), 2, "is read-only")
    require_error(call("check", "mine.yaml", "--yes"), 2, "--yes belongs to --fix")


def test_a_name_that_is_taken_or_cannot_be_written(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before anything is measured."""
    (recipe.parent / "link.yaml").symlink_to("nowhere.yaml")
    result = call("check", "mine.yaml", "--fix", "--write", "link.yaml")
    require_error(result, 2, "link.yaml: exists already")
    (recipe.parent / "file").touch()
    result = call("check", "mine.yaml", "--fix", "--write", "file/new.yaml")
    require_error(result, 4, "file: cannot be written to; choose another place with --write")
