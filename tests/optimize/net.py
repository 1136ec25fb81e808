"""A small network with its optimizer and random gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.runs import UNIT, network
from zoo import backend, optimize
from zoo.model.builder import build

STACK = "[{conv: {filters: 4, pool: max}}, {depthwise_conv: {}}, {fc: {units: 3}}]"


class Net:
    """A small network, its optimizer, and gradients of its variables to play with."""

    def __init__(self, folder: Path, train: str, stack: str = STACK, steps: int = 4) -> None:
        self.recipe = network(folder, stack, train=f", {train}")
        self.model = build(self.recipe, 4, UNIT)
        self.optimizer = optimize.optimizer(self.recipe, self.model, steps)
        self.draw = np.random.default_rng(0)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        return arrays(self.model.trainable_variables)

    def gradients(self, scale: float = 1.0) -> dict[str, np.ndarray]:
        return {
            path: (scale * self.draw.normal(size=value.shape)).astype("float32")
            for path, value in self.weights.items()
        }

    def step(self, gradients: dict[str, np.ndarray]) -> None:
        self.optimizer.apply([keras.ops.convert_to_tensor(each) for each in gradients.values()])


def arrays(variables: Any) -> dict[str, np.ndarray]:
    return {each.path: backend.to_numpy(each) for each in variables}


def all_close(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray], rtol: float) -> None:
    assert actual.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_allclose(actual[path], value, rtol=rtol, atol=1e-5, err_msg=path)
