"""The names in a search folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.errors import RunError
from zoo.rundir import Run, Search
from zoo.rundir.search import objective_of

INFO = {
    "status": "interrupted", "seed": 0, "workers": 1, "lag": 1, "recipe": {}, "seconds": 0.5,
    "stages": [],
}  # fmt: skip


def test_info(tmp_path: Path) -> None:
    search = Search.create(tmp_path, "net")
    assert search.folder.name.startswith("tune-")
    search.write_info(INFO)
    assert Search.open(tmp_path / "net").info() == INFO
    with pytest.raises(ValueError, match="unknown status 'diverged'"):
        search.write_info({**INFO, "status": "diverged"})
    search.write_info({"status": "done"})
    with pytest.raises(RunError, match="lacks seed; lacks workers; lacks lag; and 3 more"):
        search.info()


def test_a_run_is_no_search(tmp_path: Path) -> None:
    Run.at(tmp_path).update(status="done")
    with pytest.raises(RunError, match="is a run. Expected .* `zoo tune`"):
        Search.open(tmp_path)


def test_trials(tmp_path: Path) -> None:
    search = Search(tmp_path)
    assert search.kept_trials() == []
    for name in ("fine-2", "coarse-1"):
        Run.at(search.trial(name).folder)
    assert search.kept_trials() == ["coarse-1", "fine-2"]
    assert search.worker_log(0).parent.is_dir()


@pytest.mark.parametrize(
    "info, objective",
    [
        ({"recipe": {}, "objective": "val_f1"}, "val_f1"),
        ({"recipe": {"tune": {"objective": "val_loss"}}}, "val_loss"),
        ({"recipe": {"tune": {"objective": "auto"}}, "objective": None}, "val_accuracy"),
        ({"recipe": {"tune": None}}, "val_accuracy"),
    ],
)
def test_objective(info: dict[str, Any], objective: str) -> None:
    assert objective_of(info) == objective
