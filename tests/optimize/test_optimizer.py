"""The optimizer that a recipe gets."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.optimize.net import Net
from tests.runs import UNIT, network, weights
from zoo import optimize
from zoo.errors import RecipeError
from zoo.model.builder import build
from zoo.optimize import learning_rate
from zoo.recipe import words
from zoo.recipe.train_block import Schedule
from zoo.recipe.without_regularization import without_regularization


def test_constant_is_a_plain_number(tmp_path: Path) -> None:
    """ReduceLROnPlateau refuses to move a schedule."""
    for word in ("constant", "reduce_on_plateau"):
        assert learning_rate(Schedule.model_validate(word), 0.1, 4, 10) == 0.1
    recipe = network(tmp_path, "[flatten]")
    optimizer = optimize.optimizer(recipe, build(recipe, 4, UNIT), 4)
    optimizer.learning_rate = 0.5
    assert float(optimizer.learning_rate) == 0.5


@pytest.mark.parametrize("word", words.OPTIMIZERS)
def test_without_decay(tmp_path: Path, word: str) -> None:
    """Every optimizer can do without, which is what `zoo check` asks of each."""
    train = f", optimizer: {{{word}: {{weight_decay: 0.1}}}}"
    recipe = without_regularization(network(tmp_path, "[fc: {units: 4}]", train=train))
    model = build(recipe, 4, UNIT)
    optimizer = optimize.optimizer(recipe, model, 4)
    zeros = [keras.ops.zeros(v.shape) for v in model.trainable_variables]
    if word == "MuonSGD":
        optimizer.apply(zeros)  # Sets the kernel's norm.
    before = weights(model)
    optimizer.apply(zeros)
    for path, value in weights(model).items():
        np.testing.assert_allclose(value, before[path], rtol=1e-6 * (word == "MuonSGD"))


def test_float16_scales_its_loss(tmp_path: Path) -> None:
    recipe = network(tmp_path, "[flatten]", train=", dtype_policy: mixed_float16")
    optimizer = optimize.optimizer(recipe, build(recipe, 4, UNIT), 4)
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(optimizer.learning_rate) == pytest.approx(0.001)


def test_more_accumulated_than_an_epoch_has(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="gradient_accumulation_steps: an epoch .* its 4 steps"):
        Net(tmp_path, "gradient_accumulation_steps: 5")
