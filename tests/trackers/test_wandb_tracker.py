"""Weights & Biases in its offline mode, in a process of its own: it starts another one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.trackers import folders
from zoo.errors import EnvironmentFault
from zoo.trackers.names import missing
from zoo.trackers.wandb_tracker import WandbTracker

SEND = """\
import json, sys
from dataclasses import asdict
from pathlib import Path
from tests.trackers import folders, wandb_files
from zoo.cli import app
paths, wandb = json.loads(sys.argv[1]), Path(sys.argv[2])
for path in paths:
    app(["log", path, "--to", "wandb", "-q"], standalone_mode=False)
found = []
for folder in sorted(wandb.glob("wandb/offline-run-*")):
    run = wandb_files.read(folder)
    names = {"id": run.run.run_id, "project": run.run.project, "name": run.run.display_name,
             "group": run.run.run_group, "job": run.run.job_type}
    found.append({**names, **{key: value for key, value in vars(run).items() if key != "run"}})
Path(sys.argv[3]).write_text(json.dumps(found))
"""


def sent(folder: Path, *paths: Path) -> list[dict[str, Any]]:
    import subprocess

    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline", "WANDB_DIR": str(folder),
        "HOME": str(folder),
    }  # fmt: skip
    arguments = [json.dumps(list(map(str, paths))), str(folder), str(folder / "found.json")]
    done = subprocess.run(
        [sys.executable, "-c", SEND, *arguments],
        env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.skipif(missing("wandb") is not None, reason="needs wandb")
def test_runs_and_trials(tmp_path: Path) -> None:
    run = folders.finished(folders.run(tmp_path / "one", group="seeds-1"))
    search = folders.search(tmp_path / "tune")
    found = {each["name"]: each for each in sent(tmp_path, run.folder, search.folder)}
    one = found["one"]
    assert (one["project"], one["group"], one["job"]) == ("small", "seeds-1", "train")
    rows = [(row["_step"], row["epoch"], row["loss"]) for row in one["history"]]
    assert rows == [(epoch, epoch, 1 / epoch) for epoch in (1, 2, 3)]
    assert one["config"]["model.stack.0.conv.filters"] == 4
    assert one["summary"]["best_val_accuracy"] == 0.8
    assert one["artifacts"]["zoo-run"] == ["metrics.jsonl", "recipe.yaml", "run.json"]
    assert one["exit_code"] == 0
    entry = folders.entry(run, "wandb")
    assert (entry["run_id"], entry["ended"]) == (one["id"], "done")
    trials = {name: each for name, each in found.items() if each["job"] == "trial"}
    assert set(trials) == {"coarse-000", "coarse-001", "coarse-002", "fine-000"}
    assert {each["group"] for each in trials.values()} == {"tune"} == {found["tune"]["group"]}
    assert found["tune"]["exit_code"] == 1  # It was interrupted.


def test_nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Settings:
        mode = "online"

    class Fake:
        settings = Settings()

        @staticmethod
        def setup() -> Fake:
            return Fake()

        @staticmethod
        def login(**options: Any) -> bool:
            assert options["prompt"] is False
            return False

    monkeypatch.setitem(sys.modules, "wandb", Fake)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    with pytest.raises(EnvironmentFault, match="nobody is logged in. Log in with: wandb login; or"):
        WandbTracker().connect({})
