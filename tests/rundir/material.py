"""Undamaged folders for tests/rundir/damage.py: two runs, an export and a search."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.conftest import ROOT
from tests.exports import answers_here, invoke
from tests.rundir.damage import Material
from tests.runs import tiny
from tests.tuning import searches
from tests.tuning.instant import InstantExecutor
from tuning import search
from tuning.search import SearchSettings, begin
from zoo.datasets.decoding.images import as_png
from zoo.datasets.digits import raw
from zoo.errors import Interrupted
from zoo.export import parity
from zoo.rundir import Run, Search
from zoo.training import Settings, train

OLD = ROOT / "tests" / "old_files"
STEP = 7  # At which the stopped run was stopped: in its second epoch.


class Stop(keras.callbacks.Callback):
    """Sends SIGTERM after a step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.model.optimizer.iterations == STEP:
            os.kill(os.getpid(), signal.SIGTERM)


def in_process(patch: pytest.MonkeyPatch) -> None:
    """Compares exports and runs trials in this process: neither is what is tried here."""

    patch.setattr(parity, "_answers", answers_here)
    patch.setattr(search, "LocalExecutor", InstantExecutor)
    patch.setattr(search, "gpus", list)


def tuned(folder: Path) -> list[str]:
    """The trials of the stages; which ones are confirmed depends on scores that may be edited."""
    return [row["trial"] for row in searches.lasting(Search(folder)) if row["stage"] != "confirm"]


def make(done: Run, folder: Path) -> Material:
    """Makes the folders.

    Args:
        done: a finished run.
        folder: where copies of it and the other folders go.
    """
    run = Path(shutil.copytree(done.folder, folder / "done"))
    assert invoke("evaluate", run).exit_code == 0
    result = invoke("export", run, "--format", "keras", "--out", folder / "export")
    assert result.exit_code == 0, result.output
    with pytest.raises(Interrupted):
        train(tiny(folder), folder / "stopped", Settings(callbacks=[Stop()]))
    settings = SearchSettings(listener=searches.Recorder(stop_after=10))
    with pytest.raises(Interrupted):
        begin(searches.template(folder), folder / "search", settings)
    image = folder / "digit.png"
    image.write_bytes(as_png(raw()["test"][0][0]))
    return Material(
        folders={
            "run": run,
            "stopped": Run.open(folder / "stopped" / "tiny").folder,
            "export": next((folder / "export").rglob("manifest.json")).parent,
            "search": Search.open(folder / "search" / "tiny").folder,
        },
        others={
            "run": OLD / "done",
            "stopped": OLD / "stopped",
            "export": OLD / "done" / "export" / "keras" / "done" / "1",
            "search": OLD / "searched",
        },
        image=image,
        tuned=tuned,
    )
