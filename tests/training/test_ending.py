"""How a training ended is written down, and told with the exit code of its kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runs import tiny
from zoo.backend import processes
from zoo.errors import EnvironmentFault
from zoo.plan import plan
from zoo.rundir import Run
from zoo.training.ending import record_failure


def test_out_of_memory_is_the_environments_fault(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    run = Run(tmp_path)
    run.info_file.write_text(json.dumps({"status": "running"}), encoding="utf-8")
    told = record_failure(run, recipe, plan(recipe, 10), MemoryError())
    assert isinstance(told, EnvironmentFault)
    assert told.exit_code == 4
    assert "out of memory; the training needs" in str(told)
    assert told.facts == {"run": str(run), "status": "failed"}
    assert json.loads(run.info_file.read_text(encoding="utf-8"))["status"] == "failed"


def test_a_lost_process_is_told_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "connected", lambda: True)
    monkeypatch.setattr(processes, "_word_of_end", lambda: None)
    recipe = tiny(tmp_path)
    run = Run(tmp_path)
    run.info_file.write_text(json.dumps({"status": "running"}), encoding="utf-8")
    gone = ValueError("INTERNAL: Gloo all-reduce failed: [pair.cc:538] Connection reset by peer")
    told = record_failure(run, recipe, plan(recipe, 10), gone)
    assert told.exit_code == 4
    info = json.loads(run.info_file.read_text(encoding="utf-8"))
    assert info["status"] == "interrupted"
    assert info["reason"].startswith("another process was lost; without it no other goes on.")
