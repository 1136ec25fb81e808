"""Small recipes and runs for the tests of training, export and serving."""

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
from zoo.datasets.normalise import Normalisation
from zoo.recipe import Recipe, load
from zoo.rundir import Run
from zoo.training import checkpoint

# Five steps an epoch on the 1,257 training digits; dropout and crops draw in every step. All have
# one size, since each training traces a program for each size; with `RAGGED` the last one has not.
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
  batch_size: 251
  drop_remainder: true
  optimizer: {Adam: {learning_rate: 1e-2}}
"""
RAGGED = ("train.batch_size=256", "train.drop_remainder=false")  # The last batch has 233 images.

LINEAR = "model.stack=[flatten]"  # For what does not depend on the network: quickly traced.

UNIT = Normalisation("scale01", 1 / 255, 0.0)


def tiny(folder: Path, *overrides: str, text: str = TINY) -> Recipe:
    """The small recipe with overrides, as of `--set`."""
    return load(str(tiny_file(folder, text)), overrides)


def tiny_file(folder: Path, text: str = TINY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tiny.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def weights(model: Any) -> dict[str, np.ndarray]:
    """{path: values} of a model's weights and running statistics, without its random seeds."""
    return {variable.path: backend.to_numpy(variable) for variable in model.weights}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Bit-equal."""
    return one.keys() == other.keys() and all(
        one[key].tobytes() == other[key].tobytes() for key in one
    )


def environment(**more: str) -> dict[str, str]:
    """Environment variables with which a subprocess imports this checkout."""
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
    """Everything that an interruption must not change: state, best model, metrics, run.json."""
    state = checkpoint.newest(run)
    assert state is not None
    notes, values = state
    del notes["seconds"], notes["variables"]  # Keras numbers the names of seeds in a process.
    best = keras.saving.load_model(run.model_file)
    timed = ("seconds", "images_per_second")
    rows = [{key: row[key] for key in row if key not in timed} for row in run.rows()]
    info = run.info()
    keys = ("status", "epochs", "steps", "best_epoch", "val_accuracy", "val_loss", "stopped_early")
    return {
        "notes": notes,
        "arrays": [value.tobytes() for value in values],
        "best": {path: value.tobytes() for path, value in weights(best).items()},
        "rows": rows,
        "info": {key: info[key] for key in keys},
    }
