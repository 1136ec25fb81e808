"""A run killed at any instant and resumed ends with the very weights of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.runs import final
from tests.training import killable
from zoo.rundir import Run
from zoo.training import checkpoint

pytestmark = pytest.mark.slow

# 19 steps an epoch on the 1,257 training digits, all of one size: a process compiles one program.
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
train:
  epochs: 8
  batch_size: 64
  optimizer: {SGD: {learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1e-3}}
  schedule: {reduce_on_plateau: {factor: 0.5, patience: 1, min_delta: 0.2, monitor: val_loss}}
  early_stopping: {patience: 2}
  drop_remainder: true
  checkpoint_steps: EVERY
"""


class Process:
    """One process of a run: the first trains, the others resume."""

    def __init__(self, folder: Path, run: Run | None, kill_in: tuple[str, int] | None = None):
        self.steps_file = folder / "steps.txt"
        self.before = len(self.steps())
        file = folder / "killed.yaml"
        self.process = killable.start(file, folder, run.folder if run else None, kill_in)

    def steps(self) -> list[int]:
        if not self.steps_file.exists():
            return []
        return [int(line) for line in self.steps_file.read_text().split()]

    def kill_after(self, steps: int, delay: float) -> bool:
        """Sends SIGKILL `delay` seconds after so many steps; False if the process ended before."""
        while len(self.steps()) < self.before + steps and self.process.is_alive():
            time.sleep(0.002)
        time.sleep(delay)
        self.process.kill()
        return self.exit_code() == -signal.SIGKILL

    def exit_code(self) -> int | None:
        self.process.join(timeout=120)
        return self.process.exitcode


def new_folder(folder: Path, every: int) -> Path:
    """A folder with the recipe, which saves its state every so many steps."""
    folder.mkdir()
    text = RECIPE.replace("EVERY", str(every))
    (folder / "killed.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that nothing disturbs. How often it saves its state changes no bit of its end."""
    folder = new_folder(tmp_path_factory.mktemp("kill") / "undisturbed", every=50)
    assert Process(folder, None).exit_code() == 0
    run = Run.open(folder / "killed")
    # The plateaus that a resumed run must find again.
    assert len({row["learning_rate"] for row in run.rows()}) > 1
    return run


def require_same_end(run: Run, undisturbed: Run) -> None:
    """The same status, rows, state, optimizer, seeds and best model; no half-written file."""
    ended, expected = final(run), final(undisturbed)
    assert ended["info"]["status"] == "done"
    for key, value in expected.items():
        assert ended[key] == value, key
    assert not list(run.folder.rglob(".*.*"))


LAWS = pytest.mark.laws


@pytest.mark.parametrize(
    "every, kills", [(7, 3), (1, 3), pytest.param(7, 6, marks=LAWS), pytest.param(1, 6, marks=LAWS)]
)
def test_kills_change_nothing(every: int, kills: int, tmp_path: Path, undisturbed: Run) -> None:
    """A save takes longer than a step: with a save every step, most kills fall into a write."""
    folder = new_folder(tmp_path / "killed", every)
    draw = random.Random(os.environ.get("ZOO_KILL_SEED", "0"))
    run: Run | None = None
    repeated: list[int] = []
    for number in range(kills):
        process = Process(folder, run)
        assert process.kill_after(draw.randint(1, 20), draw.uniform(0.0, 0.02)), (
            f"the run ended after {number} kills"
        )
        run = Run.open(folder / "killed")
        state = checkpoint.newest(run)
        repeated.append(process.steps()[-1] - (state[0]["step"] if state else 0))
    assert Process(folder, run).exit_code() == 0
    assert run is not None
    print(f"steps repeated after each kill: {repeated}")
    assert max(repeated) <= every
    require_same_end(run, undisturbed)


def test_kills_inside_of_every_kind_of_write(tmp_path: Path, undisturbed: Run) -> None:
    """A half-written state, model, metrics file or run.json counts as not begun."""
    folder = new_folder(tmp_path / "torn", every=7)
    run: Run | None = None
    for kill_in in [
        ("step-", 1), ("best.keras", 1), ("metrics.jsonl", 1), ("step-", 4), ("run.json", 2)
    ]:  # fmt: skip
        assert Process(folder, run, kill_in).exit_code() == -signal.SIGKILL, kill_in
        run = Run.open(folder / "killed")
        assert list(run.folder.rglob(".*.*"))
    assert run is not None
    assert Process(folder, run).exit_code() == 0
    require_same_end(run, undisturbed)
