"""Folders as zoo writes them, of a few small files, at once."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from zoo.inventory.entry import stamped_time
from zoo.rundir import Folds, Run, Search, write_json

OLD = ROOT / "tests" / "old_files"
INFO: dict[str, Any] = {
    **json.loads((OLD / "done" / "run.json").read_text()),
    "host": socket.gethostname(),
}
RECIPE = (OLD / "done" / "recipe.yaml").read_text()
EPOCHS = 4
STAMP = "20261128-0{:05d}-ab{:02x}"  # A second later each.


def run(out: Path, number: int = 0, status: str = "interrupted", **values: Any) -> Run:
    """A run of the recipe `net`, with a state; of one that is done, its model and metrics, too."""
    folder = out / "net" / STAMP.format(number, number)
    made = Run.at(folder)
    ended = {} if status == "done" else {"epochs": None, "val_accuracy": None}
    own = {"name": "net", "status": status, "seed": number, "started": stamped_time(folder)}
    info = {**INFO, **own, **ended, **values}
    write_json(made.info_file, {key: value for key, value in info.items() if value is not None})
    made.recipe_file.write_text(recipe(info["seed"]), encoding="utf-8")
    made.write_rows({"epoch": epoch, "val_accuracy": epoch / 10} for epoch in (1, 2))
    made.state_folder.mkdir()
    made.state_file(7).write_bytes(b"state")
    if status == "done":
        made.model_file.write_bytes(b"model")
    return made


def recipe(seed: int, extra: str = "") -> str:
    """A recipe as zoo writes it: with every default."""
    lines = [f"seed: {seed}" if line.startswith("seed:") else line for line in RECIPE.split("\n")]
    text = "\n".join(lines)
    assert "\n  epochs: 3\n" in text
    return text.replace("\n  epochs: 3\n", f"\n  epochs: {EPOCHS}\n") + extra


def folds(out: Path, status: str = "done", done: int = 2) -> Folds:
    """A cross-validation of two folds, of which `done` have rows."""
    folder = Folds(out / "net" / "folds-20261128-050000-abcd")
    folder.folder.mkdir(parents=True)
    for number in (1, 2):
        inner = run(out / "inner", 90 + number, status)
        inner.folder.rename(folder.run(number).folder)
    shutil.rmtree(out / "inner")
    rows = [{"fold": n, "run": f"fold-{n}", "status": "done"} for n in range(1, done + 1)]
    write_json(
        folder.info_file,
        {
            "status": status, "name": "net", "of": 2, "recipe_hash": "x", "backend": "tensorflow",
            "folds": rows, "mean": {"val_accuracy": 0.5}, "sd": {"val_accuracy": 0.1},
        },
    )  # fmt: skip
    folder.recipe_file.write_text(RECIPE, encoding="utf-8")
    return folder


def search(out: Path, status: str = "interrupted") -> Search:
    """A search of two finished trials, without a best recipe."""
    folder = Search(out / "net" / "tune-20261128-060000-abcd")
    folder.folder.mkdir(parents=True)
    info = json.loads((OLD / "searched" / "tune.json").read_text())
    write_json(folder.info_file, {**info, "status": status, "name": "net", "started": None})
    folder.recipe_file.write_text(RECIPE, encoding="utf-8")
    folder.trials_file.write_text('{"a": 1}\n{"a": 2}\n{"a', encoding="utf-8")
    return folder
