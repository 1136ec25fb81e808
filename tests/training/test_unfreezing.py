"""Frozen layers keep their bits until their epoch, then train; a resume anywhere is exact."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from rich.console import Console

from tests.runs import final, same, tiny, weights
from tests.training.test_resume import interrupted, require_same
from zoo.artifact.trained_run import TrainedRun
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.training import Settings, checkpoint, resume, train


def warm(folder: Path, source: Run | Path, *overrides: str, epoch: int | None = 2) -> Recipe:
    """The small recipe from the weights of a run of it, its first stage frozen at first."""
    unfreeze = "" if epoch is None else f", unfreeze_at_epoch: {epoch}"
    start = f"model.weights={{from: {source}, exclude: [logits], freeze: [conv1]{unfreeze}}}"
    return tiny(folder, start, "train.epochs=3", *overrides)


class Weights(keras.callbacks.Callback):
    """Copies the weights after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, np.ndarray]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(weights(self.model))

    def get_state(self) -> None:
        """Nothing is resumed."""


Seen = tuple[Run, list[dict[str, np.ndarray]]]
AVERAGED = ("train.lookahead={every: 2}", "train.batch_norm_batches=2")


def seen(folder: Path, trained: Run, *overrides: str) -> Seen:
    """A finished run, and its weights after each epoch."""
    callback = Weights()
    run = train(warm(folder, trained, *overrides), folder, Settings(callbacks=[callback]))
    return run, callback.epochs


@pytest.fixture(scope="module")
def undisturbed(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return seen(tmp_path_factory.mktemp("undisturbed"), trained, *AVERAGED)


def require_frozen(trained: Run, run: Run, epochs: list[dict[str, np.ndarray]]) -> None:
    """Frozen weights and statistics stay in epoch 1, and all of them change in epoch 2."""
    source = weights(keras.saving.load_model(trained.model_file))
    frozen = {path for path in source if path.startswith("conv1")}
    assert {"conv1/kernel", "conv1_bn/moving_mean", "conv1_bn/gamma"} <= frozen
    for path, value in source.items():
        first, second = (epoch[path].tobytes() for epoch in epochs[:2])
        assert (first == value.tobytes()) is (path in frozen), path
        assert second != first, path
    best = run.info()["best_epoch"]
    assert same(weights(TrainedRun(run).model), epochs[best - 1])


def test_frozen_layers_keep_their_bits(trained: Run, undisturbed: Seen) -> None:
    """With slow weights and recomputed statistics, which must leave them alone."""
    require_frozen(trained, *undisturbed)


@pytest.mark.laws
@pytest.mark.parametrize(
    "overrides",
    [
        (
            "train.loop=host",
            "train.ema=0.9",
            "train.gradient_accumulation_steps=2",
            "train.batch_norm_batches=2",
        ),
        ("train.dtype_policy=mixed_float16", "train.optimizer={SGD: {weight_decay: 0.1}}"),
    ],
)
def test_frozen_layers_in_other_trainings(
    trained: Run, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    require_frozen(trained, *seen(tmp_path, trained, *overrides))


# At the end of epoch 1, after which all layers are trained; in epoch 1; in epoch 2.
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(5, marks=pytest.mark.backend),
        pytest.param(3, marks=pytest.mark.laws),
        pytest.param(8, marks=pytest.mark.laws),
    ],
)
def test_resume(trained: Run, undisturbed: Seen, tmp_path: Path, step: int) -> None:
    """The file of the trained weights is needed no more."""
    source = Path(shutil.copytree(trained.folder, tmp_path / "source"))
    run = interrupted(warm(tmp_path, source, *AVERAGED), tmp_path / "runs", step)
    shutil.rmtree(source)
    state = checkpoint.newest(run)
    assert state is not None
    joined = any("joined_1" in path for path, *_ in state[0]["variables"])
    assert joined is (step >= 5), "the state of an epoch's end belongs to what the next one trains"
    lines = io.StringIO()
    resumed = resume(run.folder, Settings(console=Console(file=lines, width=200)))
    require_same(final(resumed), final(undisturbed[0]))
    state_line = "trained since epoch 2 began" if step >= 5 else "frozen until epoch 2 begins"
    assert f"{state_line}: conv1, conv1_bn (52 of 686 weights)\n" in lines.getvalue()


@pytest.mark.laws
def test_resume_before_the_first_state(trained: Run, tmp_path: Path) -> None:
    """A run that was killed before it saved anything starts from the weights again."""
    expected = train(warm(tmp_path, trained, epoch=None), tmp_path / "expected")
    run = interrupted(warm(tmp_path, trained, epoch=None), tmp_path / "runs", 1)
    shutil.rmtree(run.state_folder)
    resumed = resume(run.folder)
    assert same(
        *(weights(keras.saving.load_model(each.model_file)) for each in (resumed, expected))
    )
    assert resumed.info()["normalisation"] == expected.info()["normalisation"]
