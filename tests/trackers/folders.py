"""Folders of runs and searches for the tests of trackers, made from small files alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from zoo.rundir import Folds, Run, Search

OLD = ROOT / "tests" / "old_files"
RECIPE = """\
name: small
data: {source: {folder: {path: /somewhere/pets}}}
model:
  stack:
  - conv: {filters: 4, kernel_size: [3, 3]}
train:
  epochs: 3
  schedule: none
"""


def row(epoch: int, **changed: Any) -> dict[str, Any]:
    values = {"loss": 1 / epoch, "val_loss": 2 / epoch, "val_accuracy": 1 - 0.5 / epoch}
    return {"epoch": epoch, "step": 5 * epoch, **values, "seconds": 0.5, **changed}


def run(folder: Path, epochs: int = 2, **changed: Any) -> Run:
    """A run that has finished `epochs` epochs, and goes on."""
    made = Run.at(folder)
    made.recipe_file.write_text(RECIPE, encoding="utf-8")
    made.update(
        status="running", name="small", seed=1, started="2026-01-31T23:59:59+0000", zoo="0.1.0",
        recipe_hash="abc", data={"fingerprint": "f" * 64, "train": 3, "validation": 2}, **changed,
    )  # fmt: skip
    made.write_rows([row(epoch) for epoch in range(1, epochs + 1)])
    return made


def finished(made: Run, epochs: int = 3, status: str = "done") -> Run:
    made.write_rows([row(epoch) for epoch in range(1, epochs + 1)])
    made.update(status=status, epochs=epochs, best_epoch=epochs, val_accuracy=0.8, seconds=1.5)
    return made


def search(folder: Path) -> Search:
    """The search of tests/old_files, which was interrupted after four trials."""
    shutil.copytree(OLD / "searched", folder)
    return Search(folder)


def folds(folder: Path) -> Folds:
    """A cross-validation of two folds."""
    folder.mkdir(parents=True)
    made = Folds(folder)
    made.recipe_file.write_text(RECIPE, encoding="utf-8")
    made.update(
        status="running", name="small", of=2, recipe_hash="abc", backend="tensorflow",
        started="2026-01-31T23:59:59+0000", folds=[],
    )  # fmt: skip
    for index in (1, 2):
        finished(run(made.run(index).folder))
    made.update(status="done", mean={"val_accuracy": 0.8}, sd={"val_accuracy": 0.01})
    return made


def entry(made: Any, name: str) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads(made.trackers_file.read_text(encoding="utf-8"))
    return dict(entries[name])
