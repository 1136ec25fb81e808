"""A run that was stopped anywhere ends, bit for bit, as if it had not been stopped."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tests.runs import LINEAR, RAGGED, copied, environment, final, tiny, tiny_file
from zoo.datasets.load import load as load_data
from zoo.errors import DataError, Diverged, Interrupted, RunError, UsageError
from zoo.recipe import Recipe
from zoo.rundir import Run, write_text
from zoo.rundir.schema import names_digest
from zoo.training import Settings, checkpoint, resume, train


class Signal(keras.callbacks.Callback):
    """Sends this process a signal after a step, as Ctrl-C and batch systems do."""

    def __init__(self, step: int, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.left = step
        self.number = number

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, values: dict[str, Any]) -> None:
        """A resumed run sends no signal."""


class Copier(keras.callbacks.Callback):
    """Copies the run in the step after one whose state is saved: what a kill there would leave."""

    def __init__(self, out: Path, step: int) -> None:
        super().__init__()
        self.out = out
        self.left = step + 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            self.copy = copied(Run.open(self.out / "runs" / "tiny"), self.out / "copies")

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, values: dict[str, Any]) -> None:
        """A resumed run is not copied."""


def interrupted(recipe: Recipe, out: Path, step: int, number: int = signal.SIGTERM) -> Run:
    """A run that was stopped after a step."""
    with pytest.raises(Interrupted, match=f"{signal.Signals(number).name} after step {step}"):
        train(recipe, out, Settings(callbacks=[Signal(step, number)]))
    run = Run.open(out / recipe.name)
    assert run.info()["status"] == "interrupted"
    assert f"zoo train --resume {run}" in run.info()["reason"]
    return run


@pytest.fixture(scope="module")
def undisturbed(
    trained: Run, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Any]]:
    """Returns `final` of the small recipe with the given overrides, trained without a break."""
    ends: dict[tuple[str, ...], dict[str, Any]] = {(): final(trained)}

    def end(*overrides: str) -> dict[str, Any]:
        if overrides not in ends:
            ends[overrides] = uninterrupted(tmp_path_factory.mktemp("undisturbed"), *overrides)
        return ends[overrides]

    return end


def uninterrupted(folder: Path, *overrides: str) -> dict[str, Any]:
    return final(train(tiny(folder, *overrides), folder / "runs"))


def without_signal(end: dict[str, Any]) -> dict[str, Any]:
    ours = ("Signal", "Copier")
    callbacks = [entry for entry in end["notes"]["callbacks"] if entry[0] not in ours]
    return {**end, "notes": {**end["notes"], "callbacks": callbacks}}


def require_same(end: dict[str, Any], expected: dict[str, Any]) -> None:
    end, expected = without_signal(end), without_signal(expected)
    for key in expected:
        assert end[key] == expected[key], key


# To the same end.


@pytest.mark.parametrize(
    "step, number", [(1, signal.SIGINT), (5, signal.SIGTERM), (10, signal.SIGTERM)]
)
def test_resume_is_exact(
    tmp_path: Path, undisturbed: Callable[..., dict[str, Any]], step: int, number: int
) -> None:
    """Within an epoch, at its end, and after the last step; with dropout and random crops."""
    run = interrupted(tiny(tmp_path), tmp_path / "runs", step, number)
    assert resume(run.folder).folder == run.folder
    require_same(final(run), undisturbed())


STATES = [
    ("train.optimizer={SGD: {learning_rate: 0.05, momentum: 0.9, weight_decay: 0.01}}",
     "train.schedule={one_cycle: 1}", *RAGGED, "train.loss=svm",
     "model.defaults.kernel_regularizer={l2: 0.01}"),
    ("train.optimizer=RMSprop", "train.dtype_policy=mixed_bfloat16",
     "data.augment=[alternating_flip, rand_augment, random_resized_crop, cutmix, {mixup: 1.0}]",
     "train.class_weight=balanced"),
    ("train.dtype_policy=mixed_float16", "train.lookahead={}", "train.optimizer=Muon"),
    ("train.dtype_policy=float64", "train.ema={momentum: 0.9}", "train.optimizer=Nadam"),
    ("train.ema={}", "train.gradient_accumulation_steps=2", "train.schedule=cosine",
     "train.learning_rate_factors=[{pattern: ^fc1, factor: 2, until_epoch: 1}]",
     "train.optimizer={TorchSGD: {learning_rate: 0.1, momentum: 0.9}}"),
    ("train.lookahead={every: 2}", "train.schedule={triangle: {peak_at: 0}}",
     "model.stack=[{fc: 8}, {residual: {stochastic_depth: 0.5, stack: [{fc: 8}]}}]",
     "train.optimizer={MuonSGD: {learning_rate: 0.1, weight_decay: 1e-2}}",
     "train.learning_rate_factors=[{pattern: ^fc1_bn/beta, factor: 2, until_epoch: 2, "
     "linear_fall: true, weight_decay: 0.1}]",
     "data.augment=[{cutout: {size: 3, value: mean, inside: true}}]"),
    ("train.gradient_accumulation_steps=4", "train.optimizer=Adafactor",
     "train.steps_per_epoch=7"),
]  # fmt: skip


def backend_matters(overrides: tuple[str, ...]) -> bool:
    return any(word in overrides[0] for word in ("ema=", "lookahead="))


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(each, id=each[0], marks=[pytest.mark.backend] * backend_matters(each))
        for each in STATES
    ],
)
def test_everything_that_has_state(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    stack = "model.stack=[{fc: {units: 8, dropout: 0.1}}]"
    recipe = tiny(tmp_path, stack, "train.checkpoint_steps=3", *overrides)
    copier = Copier(tmp_path, 3)
    whole = train(recipe, tmp_path / "runs", Settings(callbacks=[copier]))
    (state,) = copier.copy.state_files()
    assert state.name.startswith("step-000000003")
    resume(copier.copy.folder)
    require_same(final(copier.copy), final(whole))


def test_many_times(tmp_path: Path, undisturbed: Callable[..., dict[str, Any]]) -> None:
    """A resumed run that is stopped again: after steps 3, 4 and 7."""
    run = interrupted(tiny(tmp_path), tmp_path / "runs", 3)
    for steps in (1, 3):
        with pytest.raises(Interrupted):
            resume(run.folder, Settings(callbacks=[Signal(steps, signal.SIGINT)]))
    resume(run.folder)
    require_same(final(run), undisturbed())


class Stopper(keras.callbacks.Callback):
    """Stops the training after some steps, which it counts itself."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.count = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.count += 1
        if self.count == self.at:
            self.model.stop_training = True


@pytest.mark.parametrize("at", [4, 5, 8])
def test_a_callback_that_stops_goes_on_counting(tmp_path: Path, at: int) -> None:
    """It stops in the rest of the interrupted epoch, at its last step, or in the next epoch."""
    recipe = tiny(tmp_path, LINEAR, "train.epochs=4")
    expected = train(recipe, tmp_path / "undisturbed", Settings(callbacks=[Stopper(at)]))
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "runs", Settings(callbacks=[Stopper(at), Signal(2)]))
    run = resume(tmp_path / "runs" / "tiny", Settings(callbacks=[Stopper(at)]))
    assert expected.info()["steps"] == at
    require_same(final(run), final(expected))


@pytest.mark.parametrize(
    "step, monitor, delta",
    [(10, "val_accuracy", 0.5), (12, "val_accuracy", 0.0), (10, "val_loss", 0.5),
     (12, "val_loss", 0.5)],
)  # fmt: skip
def test_early_stopping_goes_on(
    tmp_path: Path,
    undisturbed: Callable[..., dict[str, Any]],
    step: int,
    monitor: str,
    delta: float,
) -> None:
    """Its patience does not start again, and its min_delta keeps the sign that Keras gave it."""
    overrides = (
        LINEAR,
        "train.epochs=9",
        "train.optimizer={SGD: {learning_rate: 1e-9}}",
        f"train.monitor={monitor}",
        f"train.early_stopping={{patience: 3, min_delta: {delta}}}",
    )
    run = interrupted(tiny(tmp_path, *overrides), tmp_path / "runs", step)
    resume(run.folder)
    expected = undisturbed(*overrides)
    require_same(final(run), expected)
    if delta:
        assert expected["info"]["epochs"] == 4


def test_the_schedule_reduce_on_plateau_goes_on(
    tmp_path: Path, undisturbed: Callable[..., dict[str, Any]]
) -> None:
    """Stopped while its patience runs, after a first reduction: rate, best and waiting stay."""
    overrides = (
        LINEAR, "train.epochs=6",
        "train.schedule={reduce_on_plateau: {patience: 2, min_delta: 5, factor: 0.5}}",
    )  # fmt: skip
    run = interrupted(tiny(tmp_path, *overrides), tmp_path / "runs", 18)
    resume(run.folder)
    require_same(final(run), undisturbed(*overrides))
    rates = [row["learning_rate"] for row in run.rows()]
    assert rates == pytest.approx([0.01] * 3 + [0.005] * 2 + [0.0025])


@pytest.mark.parametrize("mode, monitor", [("max", "val_accuracy"), ("min", "val_loss")])
def test_reduce_on_plateau_goes_on(tmp_path: Path, mode: str, monitor: str) -> None:
    def plateau() -> keras.callbacks.Callback:
        return keras.callbacks.ReduceLROnPlateau(
            monitor=monitor, mode=mode, min_delta=5.0, patience=2, factor=0.5, cooldown=1
        )

    recipe = tiny(tmp_path, LINEAR, "train.epochs=6")
    expected = train(recipe, tmp_path / "undisturbed", Settings(callbacks=[plateau()]))
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "runs", Settings(callbacks=[plateau(), Signal(12)]))
    run = resume(tmp_path / "runs" / "tiny", Settings(callbacks=[plateau()]))
    rates = [row["learning_rate"] for row in expected.rows()]
    assert rates[0] > rates[-1]
    require_same(final(run), final(expected))


def test_without_a_state_it_begins_anew(
    tmp_path: Path, undisturbed: Callable[..., dict[str, Any]]
) -> None:
    run = interrupted(tiny(tmp_path), tmp_path / "runs", 7)
    for file in run.state_folder.iterdir():
        file.unlink()
    lines = io.StringIO()
    resume(run.folder, Settings(console=Console(file=lines, width=200)))
    assert "it begins again at epoch 1" in lines.getvalue()
    require_same(final(run), undisturbed())


def test_torn_state_falls_back_to_the_one_before(
    tmp_path: Path, undisturbed: Callable[..., dict[str, Any]]
) -> None:
    """A state that a power failure tore costs some steps, not the run."""
    run = interrupted(tiny(tmp_path, "train.checkpoint_steps=2"), tmp_path / "runs", 7)
    _, newest = sorted(run.state_folder.iterdir())
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    state = checkpoint.newest(run)
    assert state is not None
    assert state[0]["step"] == 6
    resume(run.folder)
    require_same(final(run), undisturbed())


def test_all_states_torn(tmp_path: Path) -> None:
    run = interrupted(tiny(tmp_path, LINEAR), tmp_path / "runs", 7)
    for file in run.state_folder.iterdir():
        file.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(RunError, match="no state file can be read"):
        resume(run.folder)


# Answered or refused.


def test_done_is_done(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    with pytest.raises(UsageError, match="only data.source and plugins may be changed"):
        resume(run.folder, overrides=["train.batch_size=9"])
    before = {path: path.read_bytes() for path in run.folder.rglob("*.*")}
    assert resume(run.folder).info()["status"] == "done"
    assert {path: path.read_bytes() for path in run.folder.rglob("*.*")} == before


def test_killed_after_the_last_save(trained: Run, tmp_path: Path) -> None:
    """A kill between the last save and the end of the run: nothing is trained again."""
    run = copied(trained, tmp_path)
    run.update(status="running", epochs=None, best_epoch=None, val_accuracy=None, steps=None)
    resume(run.folder)
    assert final(run) == final(trained)


def test_diverged_is_refused(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, LINEAR, "train.optimizer={SGD: {learning_rate: 1e9}}")
    with pytest.raises(Diverged):
        train(recipe, tmp_path / "runs")
    with pytest.raises(RunError, match="diverged at step .* start a new run with a lower"):
        resume(tmp_path / "runs" / "tiny")


def test_running_elsewhere_is_refused(trained: Run, tmp_path: Path) -> None:
    """A run is running while a process holds its lock; a killed process holds none."""
    run = copied(trained, tmp_path)
    script = (
        "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)"
        "; print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(run.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            run.update(status="running", pid=other.pid)
            with pytest.raises(RunError, match=f"is still running as process {other.pid}"):
                resume(run.folder)
        finally:
            other.kill()
    assert resume(run.folder).info()["status"] == "done"


@pytest.mark.parametrize(
    "old, new", [("relu", "tanh"), ("learning_rate: 0.01", "learning_rate: 1.0")]
)
def test_any_edit_is_refused(trained: Run, tmp_path: Path, old: str, new: str) -> None:
    """Also an edit that changes no shape."""
    run = copied(trained, tmp_path)
    run.update(status="interrupted")
    text = run.recipe_file.read_text(encoding="utf-8")
    assert old in text
    run.recipe_file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RunError, match="was edited since the run began"):
        resume(run.folder)


def pictures(folder: Path) -> Path:
    """Makes a folder of two classes with thirty small images each."""
    draw = np.random.default_rng(0)
    for index, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for i in range(30):
            pixels = draw.integers(100 * index, 100 * index + 100, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:02d}.png")
    return folder


def readers() -> list[str]:
    """Names of the threads that make batches of a training ahead."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if "zoo-ahead" in name]


@pytest.mark.backend
def test_moved_data_are_followed(tmp_path: Path) -> None:
    """To the same end; the images are streamed from their files."""
    folder = pictures(tmp_path / "old")
    overrides = (
        LINEAR,
        f"data.source={{folder: {folder}}}",
        "data.image_size=8",
        "train.batch_size=16",
        "data.loading=streamed",
    )
    expected = uninterrupted(tmp_path / "undisturbed", *overrides)
    run = interrupted(tiny(tmp_path, *overrides), tmp_path / "runs", 2)
    assert (run.info()["loop"], run.info()["streams"]) == ("device", True)
    assert not readers()
    folder.rename(tmp_path / "new")
    with pytest.raises(DataError, match="does not exist"):
        resume(run.folder)
    with pytest.raises(UsageError, match="only data.source and plugins may be changed"):
        resume(run.folder, overrides=["train.batch_size=9"])
    resume(run.folder, overrides=[f"data.source.folder.path={tmp_path / 'new'}"])
    require_same(final(run), expected)


@pytest.mark.parametrize("loop", [pytest.param("device", marks=pytest.mark.backend), "host"])
def test_a_file_that_vanishes_is_named(tmp_path: Path, loop: str) -> None:
    """The error names the file, although it came through tf.data or out of a thread."""

    class Vanish(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            for file in folder.rglob("*.png"):
                file.unlink()

    folder = pictures(tmp_path / "pictures")
    recipe = tiny(
        tmp_path, LINEAR, f"data.source={{folder: {folder}}}", "data.image_size=8",
        "data.loading=streamed", "train.batch_size=16", "train.epochs=9", f"train.loop={loop}",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"\.png"):
        train(recipe, tmp_path / "runs", Settings(callbacks=[Vanish()]))
    assert Run.open(tmp_path / "runs" / "tiny").info()["status"] == "failed"
    assert not readers()


def test_a_run_that_streams_goes_on_streaming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though there is more memory than when it began: another program rounds differently."""
    monkeypatch.setattr("zoo.training.loop.choose.free_memory", lambda: 0)
    run = interrupted(tiny(tmp_path, LINEAR, "train.epochs=1"), tmp_path / "runs", 2)
    monkeypatch.setattr("zoo.training.loop.choose.free_memory", lambda: 2**40)
    lines = io.StringIO()
    resume(run.folder, Settings(console=Console(file=lines, width=500)))
    assert "loop: device (the run streams its images)" in lines.getvalue()
    assert run.info()["streams"]


def test_other_backend_is_refused(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    run.update(status="interrupted", backend="jax")
    with pytest.raises(RunError, match="begun with KERAS_BACKEND=jax"):
        resume(run.folder)


def test_changed_data_are_refused(
    tmp_path: Path, trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(trained, tmp_path)
    run.update(status="interrupted")

    def changed(*arguments: Any, **keywords: Any) -> Any:
        data = load_data(*arguments, **keywords)
        vars(data)["fingerprint"] = "0" * 64
        return data

    monkeypatch.setattr("zoo.training.resuming.load_data", changed)
    with pytest.raises(DataError, match="the data changed since it began"):
        resume(run.folder)


def test_a_state_of_another_network_is_refused(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    text = run.recipe_file.read_text(encoding="utf-8").replace("filters: 4", "filters: 6")
    write_text(run.recipe_file, text)
    run.update(status="interrupted", recipe_hash=hashlib.sha256(text.encode()).hexdigest())
    with pytest.raises(RunError, match="does not fit the network of this run's recipe"):
        resume(run.folder)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        resume(tmp_path / "nothing")


# Killed: tests/training/test_kill.py; and what remains of it.


def test_what_a_kill_leaves_is_swept(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    run.update(status="running")
    torn = [run.folder / ".best.123-ab12.keras", run.state_folder / ".step-000000005.9-ab12.npz"]
    for file in torn:
        file.write_bytes(b"half")
    resume(run.folder)
    assert not any(file.exists() for file in torn)
    assert not [path for path in run.folder.rglob(".*") if path.is_file()]


@pytest.mark.slow
def test_ctrl_c_at_the_command_line(tmp_path: Path) -> None:
    """Exit code 130, a message that tells how to resume, and then the undisturbed end."""
    overrides = (LINEAR, "train.epochs=20", "train.checkpoint_steps=1")
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "train", str(tiny_file(tmp_path)), "--no-export",
         "--no-evaluate", *(word for change in overrides for word in ("--set", change))],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and not list(tmp_path.glob("runs/*/*/state/step-00000001[2-9]*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "zoo train --resume runs/tiny/" in err
    assert "Traceback" not in err
    run = Run.open(tmp_path / "runs" / "tiny")
    assert run.info()["status"] == "interrupted"
    resume(run.folder)
    require_same(final(run), uninterrupted(tmp_path / "undisturbed", *overrides))


def test_rows_that_are_lost_are_told(trained: Run, tmp_path: Path) -> None:
    """The epochs were trained all the same: run.json counts them."""
    run = copied(trained, tmp_path)
    run.update(status="interrupted")
    run.metrics_file.write_text('{"epoch": 1, "st', encoding="utf-8")
    told = io.StringIO()
    resume(run.folder, Settings(console=Console(file=told, width=1000)))
    assert run.info()["epochs"] == 2
    assert run.info()["stopped_early"] is False
    assert "the rows of 2 of 2 finished epochs are missing, from epoch 1 on" in told.getvalue()
    assert "torn, as a crash leaves it" in told.getvalue()


def test_a_state_of_another_run_is_refused(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    run.update(status="interrupted")
    for file in run.state_files():
        with np.load(file) as stored:
            arrays = dict(stored)
        np.savez(file, **{**arrays, "recipe_hash": np.array("0" * 64)})
    with pytest.raises(RunError, match="another run saved it"):
        resume(run.folder)


def test_other_classes_than_those_of_the_data(trained: Run, tmp_path: Path) -> None:
    run = copied(trained, tmp_path)
    names = [*map(str, range(9)), "nine"]
    run.update(status="interrupted", class_names=names, class_names_sha256=names_digest(names))
    with pytest.raises(DataError, match="class_names: .* differ from class 9 on"):
        resume(run.folder)


@pytest.mark.parametrize("status, meanwhile", [("interrupted", "running"), ("done", "done")])
def test_the_status_while_data_are_loaded(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, meanwhile: str
) -> None:
    """Other hosts, which do not see the lock, read it; an error brings the old one back."""
    run = copied(trained, tmp_path)
    before = run.update(status=status, host="elsewhere")

    def fail(*_: object, **__: object) -> None:
        assert run.info()["status"] == meanwhile
        assert (run.info()["host"] == "elsewhere") is (status == "done")
        raise DataError("gone")

    monkeypatch.setattr("zoo.training.resuming.load_data", fail)
    with pytest.raises(DataError, match="gone"):
        resume(run.folder, overrides=["train.epochs=9"])
    assert run.info() == before
