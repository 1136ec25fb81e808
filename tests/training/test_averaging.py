"""The average of the weights and Lookahead's slow weights, against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import UNIT, network, tiny, weights
from zoo.model.builder import build
from zoo.plan import Plan
from zoo.recipe.weights import Lookahead
from zoo.rundir import Run
from zoo.training import Settings, checkpoint, train
from zoo.training.averaging import LookaheadWeights
from zoo.training.observers import StepCounter


class Trace(keras.callbacks.Callback):
    """Records the weights after each step, and at each epoch's end as other callbacks see them."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[dict[str, np.ndarray]] = []
        self.epochs: list[dict[str, np.ndarray]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps.append(weights(self.model))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(weights(self.model))

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, values: dict[str, Any]) -> None:
        """What it has recorded is not kept for a resume."""


def traced(folder: Path, *overrides: str) -> tuple[Run, Trace]:
    trace = Trace()
    return train(tiny(folder, *overrides), folder / "runs", Settings(callbacks=[trace])), trace


def test_the_average_is_validated_and_kept(tmp_path: Path) -> None:
    """Averaging changes no trained weight, and does not average the running statistics."""
    run, trace = traced(tmp_path / "ema", "train.ema={momentum: 0.5}", "train.monitor=val_loss")
    plain, raw = traced(tmp_path / "raw", "train.monitor=val_loss")
    for one, other in zip(trace.steps, raw.steps, strict=True):
        for path, value in one.items():
            assert value.tobytes() == other[path].tobytes(), path
    expected = trace.steps[0]
    for done, step in enumerate(trace.steps[1:], 1):
        share = min(0.5, (1 + done) / (10 + done))
        expected = {
            path: step[path] if "moving" in path else share * expected[path] + (1 - share) * value
            for path, value in step.items()
        }
    assert any("moving" in path for path in expected)
    for path, value in trace.epochs[-1].items():
        np.testing.assert_allclose(value, expected[path], rtol=1e-5, atol=1e-7, err_msg=path)
    saved = weights(keras.saving.load_model(run.model_file))
    best = trace.epochs[run.info()["best_epoch"] - 1]
    assert {path: value.tobytes() for path, value in saved.items()} == {
        path: value.tobytes() for path, value in best.items()
    }
    losses = [[row["val_loss"] for row in each.rows()] for each in (run, plain)]
    assert losses[0] != losses[1]


@pytest.mark.parametrize("per_update", [1, 2])
def test_lookahead(tmp_path: Path, per_update: int) -> None:
    """Blends running statistics too. Step 13, the last, ends with the slow weights."""
    model = build(network(tmp_path, "[{conv: {filters: 4}}]"), 4, UNIT)
    counter = StepCounter(13, 1)
    lookahead = LookaheadWeights(
        Lookahead(every=2, decay=0.9, power=2.0), model, Plan((), 4), per_update
    )
    lookahead.attach(model, counter)
    changes = []
    draw, slow = np.random.default_rng(0), weights(model)
    for step in range(1, 14):
        for variable in model.weights:
            variable.assign(draw.normal(size=variable.shape))
        net = weights(model)
        counter.step = step
        changes.append(lookahead.next_change(step - 1))
        if changes[-1] == step:
            lookahead.change()
        if step % (2 * per_update) == 0:
            share = 0.9**2 * (step / 13) ** 2
            slow = {path: share * slow[path] + (1 - share) * net[path] for path in net}
            net = slow
        if step == 13:
            net = slow
        for path, value in weights(model).items():
            np.testing.assert_allclose(value, net[path], rtol=1e-5, atol=1e-6, err_msg=path)
    # Nothing changes between two blends, and no blend needs a stop.
    assert lookahead.next_stop(0) is None
    assert set(changes) == {*range(2 * per_update, 13, 2 * per_update), 13}


def test_a_run_ends_with_the_slow_weights(tmp_path: Path) -> None:
    """After 7 steps the slow weights of step 5 are validated and kept."""
    run, trace = traced(
        tmp_path, "train.lookahead={every: 5}", "train.epochs=1", "train.batch_size=179",
        "train.optimizer={SGD: 0.5}",
    )  # fmt: skip
    assert run.info()["steps"] == 7
    fifth, last = trace.steps[4], trace.steps[6]
    for path, value in last.items():
        assert value.tobytes() == fifth[path].tobytes(), path
    state = checkpoint.newest(run)
    assert state is not None
    slow = [array for name, array in zip(state[0]["variables"], state[1], strict=True)
            if name[0].startswith("slow")]  # fmt: skip
    assert sum(array.size for array in slow) == sum(value.size for value in last.values())
