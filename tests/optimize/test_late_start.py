"""Variables that join an optimizer late, and the state that it keeps for the others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.optimize.net import Net
from zoo import backend, optimize
from zoo.optimize.late_start import carry_over
from zoo.recipe import words


def arrays(optimizer: Any) -> list[np.ndarray]:
    return [backend.to_numpy(variable) for variable in optimizer.variables]


def joined(net: Net, layer: str, steps: int) -> Any:
    """Trains without a layer for some steps; returns the optimizer of all, which goes on."""
    late = net.model.get_layer(layer)
    late.trainable = False
    net.optimizer = optimize.optimizer(net.recipe, net.model, 4)
    for _ in range(steps):
        net.step(net.gradients())
    late.trainable = True
    paths = frozenset(variable.path for variable in late.trainable_variables)
    every = optimize.optimizer(net.recipe, net.model, 4, {1: paths})
    carry_over(net.optimizer, every, 1)
    return every


@pytest.mark.parametrize("word", words.OPTIMIZERS)
def test_state_is_kept(tmp_path: Path, word: str) -> None:
    """Every rule's state, with averages and accumulated gradients, and none of the new ones'."""
    net = Net(tmp_path, f"optimizer: {word}, ema: 0.9, gradient_accumulation_steps: 2")
    every = joined(net, "conv1", 3)
    values = [[value.tobytes() for value in arrays(each)] for each in (net.optimizer, every)]
    fresh = [value.tobytes() for value in arrays(optimize.optimizer(net.recipe, net.model, 4))]
    before, after = (Counter(each) for each in values)
    assert before <= after, "some state was lost"
    added = after - before
    joined_at = np.array(1, np.int32).tobytes()  # After one update of two steps.
    averages = [backend.to_numpy(v).tobytes() for v in net.model.get_layer("conv1").weights]
    assert added <= Counter([*fresh, joined_at, *averages]), "a new variable has another's state"


@pytest.mark.backend
@pytest.mark.parametrize("word", ["Adam", "Lamb"])
def test_moments_of_late_variables_are_not_too_large(tmp_path: Path, word: str) -> None:
    """The first step of a variable is what it would have been in the first step of all."""
    train = f"optimizer: {{{word}: {{learning_rate: 0.01}}}}"
    net, fresh = Net(tmp_path, train), Net(tmp_path, train)
    net.optimizer = joined(net, "conv1", 40)
    start = backend.to_numpy(fresh.model.get_layer("conv1").kernel)
    gradients = net.gradients()
    for each in (net, fresh):
        each.step(gradients)
    kernels = [backend.to_numpy(each.model.get_layer("conv1").kernel) for each in (net, fresh)]
    np.testing.assert_allclose(kernels[0], kernels[1], rtol=1e-5, atol=1e-6)
    assert float(np.abs(kernels[1] - start).max()) > 1e-3
