"""`zoo report`, and `zoo train --report`: where the page goes, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import call, document, require_error
from tests.report.run_folders import checked, made
from tests.runs import LINEAR, tiny_file
from zoo.rundir import Run
from zoo.verbs import reporting


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser is asked to open."""
    asked: list[str] = []
    monkeypatch.setattr(reporting.webbrowser, "open", lambda uri: not asked.append(uri))
    monkeypatch.setenv("DISPLAY", ":0")
    return asked


def test_report_of_a_run(tmp_path: Path) -> None:
    run = made(tmp_path)
    result = call("report", run, "--json")
    told = document(result)
    page = run.report_file.read_bytes()
    assert (told["report"], told["bytes"]) == (str(run.report_file), len(page))
    evaluation = run.evaluation()
    assert evaluation is not None
    assert told["accuracy"] == evaluation["accuracy"]
    assert told["interval"][0] < told["accuracy"] < told["interval"][1]
    assert set(told["verdict"]) == {"Accuracy", "What limits it", "Try next"}


def test_newest_of_a_name_and_out(tmp_path: Path, opened: list[str]) -> None:
    run = made(tmp_path)
    check = checked(tmp_path)
    newer = run.folder.rename(run.folder.with_name("20261129-000000-0000"))
    file = tmp_path / "sub" / "page.html"
    result = call("report", run.folder.parent, "--out", file, "--open")
    assert result.exit_code == 0, result.output
    assert f"run       {newer}, the newest in" in result.stderr
    assert f"report    {file} (" in result.stdout
    assert opened == [file.as_uri()]
    result = call("report", check)
    assert result.exit_code == 0, result.output
    assert check.report_file.is_file()


def test_without_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    result = call("report", made(tmp_path), "--open")
    assert result.exit_code == 0, result.output
    assert "no browser was found here; open " in result.stderr


def test_refusals(tmp_path: Path) -> None:
    run, check = made(tmp_path / "a"), checked(tmp_path / "b")
    empty = tmp_path / "empty"
    empty.mkdir()
    file = tmp_path / "file"
    file.write_text("")
    require_error(call("report", tmp_path / "none"), 2, "does not exist. Expected a folder made by")
    require_error(call("report", file), 2, "is a file")
    require_error(
        call("report", empty), 2, "is not a run or a cross-validation or a search or a check: it is"
    )
    require_error(call("report", run, check), 2, "is a check, which has a report of")
    require_error(call("report", run, "--out", empty), 2, "is a folder. Expected the name of a")
    require_error(call("report", run, "--out", file / "x.html"), 4, "cannot be written to")
    require_error(call("report", run, "--out", run.recipe_file), 2, "is no report of zoo's")
    require_error(call("report", run, "--out", "x" * 300), 2, "File name too long")
    assert call("report", run, "--out", file).exit_code == 0  # An empty file.
    assert call("report", run, "--out", file).exit_code == 0  # A report.
    run.info_file.write_text("{")
    require_error(call("report", run), 2, "run.json: cannot be read")
    check.checks_file.write_text('{"verdict": "FINE", "findings": []}')
    require_error(call("report", check), 2, "checks.json: verdict: Expected")


def test_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    part = 'pip install "zoo-keras[report]"'
    require_error(call("report", made(tmp_path)), 4, part)
    recipe = tiny_file(tmp_path)
    for arguments in ((recipe, "--report"), (recipe, "--open"), (recipe, "--folds", 2, "--report")):
        require_error(call("train", *arguments, "--out", tmp_path / "runs"), 4, part)
    assert not (tmp_path / "runs").exists()


def test_open_belongs_to_one_training(tmp_path: Path) -> None:
    recipe = tiny_file(tmp_path)
    result = call("train", recipe, "--seeds", 2, "--open")
    require_error(result, 2, "--open shows the report of one training. Leave it out with --seeds")
    result = call("train", recipe, "--no-report", "--open")
    require_error(result, 2, "Leave it out with --no-report")


def test_train_writes_and_opens_it(tmp_path: Path, opened: list[str]) -> None:
    arguments: list[Any] = [tiny_file(tmp_path), "--set", LINEAR, "--set", "train.epochs=1"]
    result = call("train", *arguments, "--no-export", "--open", "--out", tmp_path / "r", "--json")
    told = document(result)
    run = Run(Path(told["run"]))
    assert told["report"] == str(run.report_file)
    assert opened == [run.report_file.absolute().as_uri()]
    assert json.loads(run.info_file.read_text())["flags"]["report"] is True
    page = run.report_file.read_text(encoding="utf-8")
    for part in (" on 360 test images; 95", "First templates", "After augmentation"):
        assert part in page.replace("\\u00a0", " ")
