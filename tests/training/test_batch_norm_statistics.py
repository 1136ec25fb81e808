"""Re-estimated statistics of batch norm are those of the data, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runs import UNIT, network, same, tiny, weights
from zoo.model import builder, introspect
from zoo.training import train
from zoo.training.batch_norm_statistics import reestimate

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)


@pytest.mark.parametrize("momentum", [0.0, 0.6, 0.99])
def test_statistics_are_those_of_all_images(tmp_path: Path, momentum: float) -> None:
    """For the first norm, whose inputs do not depend on the batches."""
    norm = f"batch_norm: {{momentum: {momentum}}}"
    stack = f"[{{conv: {{filters: 4, {norm}}}}}, {{dropout: 0.5}}]"
    model = builder.build(network(tmp_path, stack), 4, UNIT)
    (values,) = introspect.outputs(model, ["conv1"], IMAGES)
    before = weights(model)
    seeds = [np.array(v.numpy()) for v in model.non_trainable_variables[2:]]
    reestimate(model, [IMAGES[:16], IMAGES[16:]])
    after = weights(model)
    rows = values.reshape(-1, 4).astype(np.float64)
    np.testing.assert_allclose(after.pop("conv1_bn/moving_mean"), rows.mean(0), atol=1e-5)
    np.testing.assert_allclose(after.pop("conv1_bn/moving_variance"), rows.var(0), rtol=1e-3)
    assert same(after, {key: before[key] for key in after})
    for old, new in zip(seeds, model.non_trainable_variables[2:], strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_no_batch_changes_nothing(tmp_path: Path) -> None:
    model = builder.build(network(tmp_path, "[{conv: {filters: 4}}]"), 4, UNIT)
    before = weights(model)
    reestimate(model, [])
    assert same(before, weights(model))


def test_short_runs_are_read_right(tmp_path: Path) -> None:
    """At a momentum of 0.999 the running averages are far off after forty steps."""
    slow = ["model.defaults.batch_norm={momentum: 0.999}", "train.epochs=8"]
    lagging = train(tiny(tmp_path, *slow), tmp_path / "lag").info()
    fresh = train(tiny(tmp_path, *slow, "train.batch_norm_batches=5"), tmp_path / "new").info()
    assert fresh["val_loss"] < lagging["val_loss"]
    assert fresh["val_accuracy"] > lagging["val_accuracy"] + 0.1
