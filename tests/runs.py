"""Small recipes and runs that the tests of training and of what follows it share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.conftest import ROOT
from tests.networks import network as network  # Tests that need Keras get it from here.
from zoo import backend
from zoo.data.normalise import Normalisation
from zoo.recipe import Recipe, load
from zoo.rundir import Run
from zoo.train import checkpoint

# Five steps an epoch on the 1,257 training digits; dropout and flips draw in every step.
TINY = """\
name: tiny
seed: 3
data:
  source: digits
  color_mode: grayscale
  augment: [{random_crop: {padding: 1}}]
model:
  stack:
    - conv: {filters: 4, pool: max, dropout: 0.1}
    - fc: {units: 8}
train:
  epochs: 2
  batch_size: 256
  optimizer: {Adam: {learning_rate: 1e-2}}
"""

UNIT = Normalisation("scale01", 1 / 255, 0.0)


def tiny(folder: Path, *overrides: str, text: str = TINY) -> Recipe:
    """The small recipe, changed as by `--set`."""
    return load(str(tiny_file(folder, text)), overrides)


def tiny_file(folder: Path, text: str = TINY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tiny.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def weights(model: Any) -> dict[str, np.ndarray]:
    """{path: values} of a model's weights, running statistics too; random seeds have no name."""
    return {variable.path: backend.to_numpy(variable) for variable in model.weights}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Bit-equal."""
    return one.keys() == other.keys() and all(
        one[key].tobytes() == other[key].tobytes() for key in one
    )


def environment(**more: str) -> dict[str, str]:
    """What a subprocess needs to import this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::UserWarning", **more}


def zoo(*arguments: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=240,
    )


def copied(run: Run, folder: Path) -> Run:
    """A copy of a run that a test may write to."""
    return Run(Path(shutil.copytree(run.folder, folder / run.folder.name)))


def final(run: Run) -> dict[str, Any]:
    """All that an interruption must not change: state, best model, metrics, what run.json says."""
    found = checkpoint.newest(run)
    assert found is not None
    notes, arrays = found
    del notes["seconds"], notes["variables"]  # Keras numbers the names of seeds in a process.
    best = keras.saving.load_model(run.model_file)
    timed = ("seconds", "images_per_second")
    rows = [{key: row[key] for key in row if key not in timed} for row in run.rows()]
    info = run.info()
    keys = ("status", "epochs", "steps", "best_epoch", "val_accuracy", "val_loss", "stopped_early")
    return {
        "notes": notes,
        "arrays": [array.tobytes() for array in arrays],
        "best": {path: value.tobytes() for path, value in weights(best).items()},
        "rows": rows,
        "info": {key: info[key] for key in keys},
    }
