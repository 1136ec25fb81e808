"""`zoo.train`: again and again in one process, whatever came before."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import keras
import pytest

import zoo
from tests.runs import LINEAR, TINY, copied
from zoo import loading, rundir
from zoo.api import training

QUICK = (LINEAR, "train.epochs=1", "train.batch_size=419")


def train(folder: Path, *overrides: str, **options: Any) -> zoo.Run:
    changes = [*QUICK, *overrides]
    return zoo.train(TINY, changes, out=folder, quiet=True, evaluate=False, **options)


class Interrupt(keras.callbacks.Callback):
    """Presses Ctrl-C in the second epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)


class Epochs(keras.callbacks.Callback):
    """Counts epochs."""

    count = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.count += 1


def test_an_interrupted_training_says_how_to_go_on(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)  # Ignored where the tests run in the background.
    with pytest.raises(zoo.Interrupted, match=r"zoo.train\(resume=") as caught:
        train(tmp_path, epochs=3, callbacks=[Interrupt()])
    stopped = zoo.run(str(caught.value.facts["run"]))
    assert stopped.status == "interrupted"
    assert len(stopped.history) < 3
    resumed = zoo.train(resume=stopped, quiet=True)
    assert (resumed.path, resumed.status) == (stopped.path, "done")
    assert list(resumed.history.index) == [1, 2, 3]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_failed_training_leaves_nothing_for_the_next(
    trained: rundir.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even its effect on the numbers of another recipe; what is told goes to stderr."""
    with pytest.raises(zoo.Diverged) as caught:
        train(tmp_path, "train.optimizer={SGD: {learning_rate: 1e9}}", epochs=4)
    assert zoo.run(str(caught.value.facts["run"])).status == "diverged"
    with pytest.raises(zoo.RecipeError, match="train.epochs: out of range"):
        train(tmp_path, epochs=0)
    assert capsys.readouterr().err == ""
    counter = Epochs()
    run = zoo.train(TINY, out=tmp_path, callbacks=[counter], evaluate=False)
    assert counter.count == 2
    columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert run.history[columns].equals(zoo.run(trained.folder).history[columns])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "epoch 2/2" in printed.err
    assert f"run       {run.path}" in printed.err


def test_arguments_that_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(zoo.UsageError, match="either a recipe or resume"):
        zoo.train()
    with pytest.raises(zoo.UsageError, match="either a recipe or resume"):
        zoo.train(TINY, resume=tmp_path)
    with pytest.raises(zoo.UsageError, match="allow_other_devices belongs to resume"):
        zoo.train(TINY, allow_other_devices=True)
    with pytest.raises(zoo.UsageError, match="device='tpu': unknown"):
        zoo.train(TINY, device="tpu")  # type: ignore[call-overload]
    with pytest.raises(zoo.RunError, match="does not exist"):
        zoo.train(resume=tmp_path / "none")


def test_seeds(trained: rundir.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def instant(teller: Any, job: Any) -> tuple[rundir.Run, dict[str, bool]]:
        seeds.append(loading.load(job.source, job.overrides).seed)
        return copied(trained, tmp_path / str(len(seeds))), {"evaluate": False, "export": False}

    monkeypatch.setattr(training, "train_or_resume", instant)
    runs = zoo.train(TINY, seeds=2, out=tmp_path, quiet=True)
    assert seeds == list(runs.table.index) == [3, 4]
    assert [each.status for each in runs] == ["done", "done"]
    assert "±" in runs._repr_html_()
    assert repr(runs) == "<Runs: 2 seeds>"
    with pytest.raises(zoo.UsageError, match="resumed one by one"):
        zoo.train(resume=runs)
    with pytest.raises(zoo.UsageError, match="seeds: Expected 2 or more"):
        zoo.train(TINY, seeds=1)
