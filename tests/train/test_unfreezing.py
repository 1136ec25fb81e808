"""Frozen layers keep their bits until their epoch, then train; a resume anywhere is exact."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import final, same, tiny, weights
from tests.train.test_resume import interrupted, require_same
from zoo.artifact.trained_run import TrainedRun
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.train import Settings, checkpoint, resume, train


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

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing is resumed."""


@pytest.mark.parametrize(
    "overrides",
    [
        ("train.lookahead={every: 2}", "train.batch_norm_batches=2"),
        pytest.param(
            (
                "train.loop=host",
                "train.ema=0.9",
                "train.gradient_accumulation_steps=2",
                "train.batch_norm_batches=2",
            ),
            marks=pytest.mark.laws,
        ),
        pytest.param(
            ("train.dtype_policy=mixed_float16", "train.optimizer={SGD: {weight_decay: 0.1}}"),
            marks=pytest.mark.laws,
        ),
    ],
)
def test_frozen_layers_keep_their_bits(
    trained: Run, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    """Kernels, biases and statistics; all of them change in the epoch that unfreezes them."""
    source = weights(keras.saving.load_model(trained.model_file))
    seen = Weights()
    recipe = warm(tmp_path, trained, *overrides, epoch=3)
    run = train(recipe, tmp_path, Settings(callbacks=[seen]))
    first, second, third = seen.epochs
    frozen = {path for path in source if path.startswith("conv1")}
    assert {"conv1/kernel", "conv1_bn/moving_mean", "conv1_bn/gamma"} <= frozen
    for path, value in source.items():
        after = [epoch[path].tobytes() for epoch in (first, second, third)]
        if path in frozen:
            assert after[:2] == [value.tobytes()] * 2, path
        else:
            assert after[0] != value.tobytes(), path
        assert after[2] != after[1], path
    best = run.info()["best_epoch"]
    assert same(weights(TrainedRun(run).model), seen.epochs[best - 1])


@pytest.fixture(scope="module")
def undisturbed(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return final(train(warm(folder, trained), folder))


# At the end of epoch 1, after which all layers are trained; later.
@pytest.mark.parametrize(
    "step", [pytest.param(5, marks=pytest.mark.backend), pytest.param(8, marks=pytest.mark.laws)]
)
def test_resume(trained: Run, undisturbed: dict[str, Any], tmp_path: Path, step: int) -> None:
    """The file of the trained weights is needed no more."""
    source = Path(shutil.copytree(trained.folder, tmp_path / "source"))
    run = interrupted(warm(tmp_path, source), tmp_path / "runs", step)
    shutil.rmtree(source)
    state = checkpoint.newest(run)
    assert state is not None
    joined = [path for path, *_ in state[0]["variables"] if "joined_1" in path]
    assert joined, "the state of an epoch's end belongs to what the next one trains"
    require_same(final(resume(run.folder)), undisturbed)


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
