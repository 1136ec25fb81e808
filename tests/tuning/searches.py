"""Recipes to search, listeners, and what an interruption must not change in a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.runs import TINY  # Imports Keras, which KerasTuner's oracles need anyway.
from tests.tuning.stand_in import RATE
from tuning.journal import read_trials
from tuning.listener import SearchListener
from zoo.recipe import Template
from zoo.rundir import Search

SPACE = {RATE: {"min_value": 1e-4, "max_value": 1.0, "sampling": "log"}}
TUNE: dict[str, Any] = {
    "space": SPACE,
    "stages": [
        {"name": "coarse", "trials": 8, "epochs": 1},
        {"name": "fine", "trials": 6, "epochs": 2},
    ],
    "confirm": {"top": 2, "seeds": 2},
}
TOTAL = 8 + 6 + 2 * 2
# Keys of a row that depend on the clock or on what was lost.
TRANSIENT = ("seconds", "setup_seconds", "attempts", "started", "ended")


def recipe_file(folder: Path, *overrides: str, **tune: Any) -> Path:
    """Writes a recipe with the block TUNE, changed by `tune`."""
    data = yaml.safe_load(TINY.replace("1e-2", "0.01"))
    data["train"]["optimizer"] = "SGD"
    data["tune"] = {**TUNE, **tune}
    folder.mkdir(parents=True, exist_ok=True)
    given, file = folder / "given.yaml", folder / "search.yaml"
    given.write_text(yaml.safe_dump(data), encoding="utf-8")
    file.write_text(Template(str(given), overrides).dump(), encoding="utf-8")
    return file


def template(folder: Path, **tune: Any) -> Template:
    """The recipe of `recipe_file`."""
    return Template(str(recipe_file(folder, **tune)))


def lasting(folder: Search) -> list[dict[str, Any]]:
    """What an interruption must not change of a search's trials, by name."""
    records = read_trials(folder)
    assert len({record.trial for record in records}) == len(records), "a trial was counted twice"
    rows = [record.to_json() for record in sorted(records, key=lambda record: record.trial)]
    return [{key: row[key] for key in row if key not in TRANSIENT} for row in rows]


class Recorder(SearchListener):
    """Remembers the notes; presses Ctrl-C after a number of trials, if it is given one."""

    def __init__(self, stop_after: int = 0) -> None:
        self.left = stop_after
        self.notes: list[str] = []

    def finished(self, record: Any, total: int, left: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)
