"""Layers that do what their words say."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.conformance import PIXELS, built
from tests.runs import network
from zoo import backend

BLOCK = (
    "[{residual: {stochastic_depth: 0.25, activation: linear, stack: "
    "[{conv: {filters: 3, activation: linear, batch_norm: none}}]}}]"
)


@pytest.mark.backend
def test_stochastic_depth_drops_whole_images(tmp_path: Path) -> None:
    """A share `rate` of images is 0, the others are larger; predictions use all of the network."""
    model = built(network(tmp_path, BLOCK))
    layer = model.get_layer("stochastic_depth1")
    ones = np.ones((4000, 2, 2, 3), np.float32)
    trained = backend.to_numpy(layer(ones, training=True)).reshape(4000, -1)
    assert (trained == trained[:, :1]).all()
    np.testing.assert_allclose(np.unique(trained), [0.0, 1 / 0.75], rtol=1e-6)
    assert abs(np.mean(trained == 0) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    np.testing.assert_array_equal(backend.to_numpy(layer(ones, training=False)), ones)


def test_stochastic_depth_has_a_seed_of_its_own(tmp_path: Path) -> None:
    two = f"[{BLOCK[1:-1]}, {BLOCK[1:-1]}]"
    ones = np.ones((64, 2, 2, 3), np.float32)
    draws = [
        [
            backend.to_numpy(model.get_layer(f"stochastic_depth{n}")(ones, training=True))
            for n in (1, 2)
        ]
        for model in (built(network(tmp_path, two)), built(network(tmp_path, two)))
    ]
    assert not np.array_equal(draws[0][0], draws[0][1])
    np.testing.assert_array_equal(draws[0], draws[1])


def test_squeeze_and_excitation_by_hand(tmp_path: Path) -> None:
    """Hu et al. 2018, equations 2 to 4."""
    model = built(network(tmp_path, "[{conv: 6}, {squeeze_excite: {ratio: 2, min_units: 1}}]"))
    names = ("conv1_act", "se1")
    part = keras.Model(model.input, [model.get_layer(name).output for name in names])
    x, found = (backend.to_numpy(value) for value in part(PIXELS, training=False))
    first, second = (model.get_layer(f"se1_{name}").get_weights() for name in ("reduce", "expand"))
    hidden = np.maximum(x.mean(axis=(1, 2)) @ first[0][0, 0] + first[1], 0)
    gates = 1 / (1 + np.exp(-(hidden @ second[0][0, 0] + second[1])))
    np.testing.assert_allclose(found, x * gates[:, None, None], rtol=1e-5, atol=1e-6)
    assert hidden.shape == (8, 3)
