"""A run killed at any instant and resumed ends with the very weights of an undisturbed run."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from zoo.rundir import Run
from zoo.train import checkpoint

RECIPE = """
name: killed
seed: 3
data:
  source: digits
  color_mode: grayscale
  augment: [random_flip, {random_crop: {padding: 1}}, {cutout: 2}]
model:
  stack:
    - conv: {filters: 8, pool: max, dropout: 0.2}
    - conv: {filters: 16, activation: gelu, pool: max}
    - fc: {units: 32, dropout: 0.3}
train:
  epochs: EPOCHS
  batch_size: 32
  optimizer: {SGD: {learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1e-3}}
  schedule: {one_cycle: {warmup_epochs: 1}}
  early_stopping: {patience: 2}
  checkpoint_steps: EVERY
"""


class Part:
    """One process of a run."""

    def __init__(self, recipe_file: Path, out: Path, run: Run | None, kill_in: str = "") -> None:
        self.out = out
        self.steps_file = out / "steps.txt"
        self.before = len(self.steps())
        command = [sys.executable, str(Path(__file__).with_name("killable.py"))]
        command += [str(recipe_file), str(out), str(self.steps_file)]
        command += [str(run.folder)] if run else []
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": root, "KILL_IN": kill_in},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def steps(self) -> list[int]:
        if not self.steps_file.exists():
            return []
        return [int(line) for line in self.steps_file.read_text().split()]

    def kill_after(self, steps: int, delay: float) -> bool:
        """SIGKILL some time after so many steps; False if it ended before."""
        while len(self.steps()) < self.before + steps:
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        time.sleep(delay)
        if self.process.poll() is not None:
            return False
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        return True

    def wait(self) -> None:
        _, errors = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, errors.decode()[-3000:]


def digest(run: Run) -> str:
    """Of every variable at the end: model, optimizer, seeds; and of the best model."""
    found = checkpoint.newest(run)
    assert found is not None
    notes, arrays = found
    whole = hashlib.sha256(json.dumps(notes["step"]).encode())
    for (name, _, _), array in zip(notes["variables"], arrays, strict=True):
        whole.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def rows_without_times(run: Run) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.rows()]


def best_weights(run: Run) -> list[np.ndarray]:
    import keras

    return [np.asarray(w) for w in keras.saving.load_model(run.model_file).get_weights()]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("every", [7, 1])
def test_ten_kills_change_nothing(every: int, tmp_path: Path) -> None:
    recipe_file = tmp_path / "killed.yaml"
    recipe_file.write_text(RECIPE.replace("EPOCHS", "8").replace("EVERY", str(every)))
    calm = tmp_path / "calm"
    calm.mkdir()
    Part(recipe_file, calm, None).wait()
    undisturbed = Run.open(calm / "killed")

    out = tmp_path / "killed"
    out.mkdir()
    draw = random.Random(os.environ.get("ZOO_KILL_SEED", "0"))
    run: Run | None = None
    kills = 0
    repeated: list[int] = []
    while kills < 10:
        part = Part(recipe_file, out, run)
        # A step takes about two milliseconds and a save five: with a save a step, most kills
        # fall into a write.
        if not part.kill_after(draw.randint(1, 45), draw.uniform(0.0, 0.02)):
            break
        kills += 1
        done = part.steps()
        run = Run.open(out / "killed")
        found = checkpoint.newest(run)
        repeated.append(done[-1] - (found[0]["step"] if found else 0))
    assert kills == 10, f"the run ended after {kills} kills"
    Part(recipe_file, out, run).wait()
    assert run is not None

    print(f"steps repeated after each kill: {repeated}")
    assert max(repeated) <= every
    assert run.info()["status"] == "done"
    assert rows_without_times(run) == rows_without_times(undisturbed)
    assert digest(run) == digest(undisturbed)
    for ours, theirs in zip(best_weights(run), best_weights(undisturbed), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not list(run.folder.glob(".*.*")), "half written files are left"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_inside_of_every_kind_of_write(tmp_path: Path) -> None:
    """Half of a state, a model, the rows and run.json: each is as if it had not been begun."""
    recipe_file = tmp_path / "killed.yaml"
    recipe_file.write_text(RECIPE.replace("EPOCHS", "4").replace("EVERY", "7"))
    for name in ("calm", "torn"):
        (tmp_path / name).mkdir()
    Part(recipe_file, tmp_path / "calm", None).wait()
    undisturbed = Run.open(tmp_path / "calm" / "killed")

    run: Run | None = None
    for kill_in in ("step-:1", "best.keras:1", "metrics.jsonl:1", "step-:4", "run.json:2"):
        part = Part(recipe_file, tmp_path / "torn", run, kill_in)
        part.process.communicate(timeout=300)
        assert part.process.returncode == -signal.SIGKILL, kill_in
        run = Run.open(tmp_path / "torn" / "killed")
        assert list(run.folder.glob(".*.*")) or list(run.state_folder.glob(".*.*"))
    assert run is not None
    Part(recipe_file, tmp_path / "torn", run).wait()
    assert rows_without_times(run) == rows_without_times(undisturbed)
    assert digest(run) == digest(undisturbed)
    assert not list(run.folder.glob(".*.*"))
    assert not list(run.state_folder.glob(".*"))
