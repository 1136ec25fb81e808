"""Batch norm on JAX: outputs, gradients and moving statistics are Keras's up to rounding."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from zoo import backend
from zoo.model.fast_layers import accelerate

jax = pytest.importorskip("jax")
pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="tests/test_jax.py runs it"),
]

SHAPE = (3, 5, 4, 6)
CASES: list[dict[str, Any]] = [
    {},
    {"scale": False, "epsilon": 1e-12, "momentum": 0.6},
    {"center": False},
    {"dtype": "mixed_bfloat16"},
    {"dtype": "mixed_float16"},
]


@pytest.fixture(autouse=True)
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a GPU gets it; a CPU computes the same."""
    monkeypatch.setattr(backend, "on_gpu", lambda: True)


def pair(**options: Any) -> list[Any]:
    """An accelerated layer, and Keras's, with equal weights."""
    layers = [accelerate(keras.layers.BatchNormalization(**options))]
    layers.append(keras.layers.BatchNormalization(**options))
    generator = np.random.default_rng(0)
    for layer in layers:
        layer.build(SHAPE)
    weights = [generator.uniform(0.5, 2, weight.shape) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    assert "call" in vars(layers[0])
    return layers


def trained(layer: Any, images: Any, upstream: Any, compiles: bool = True) -> list[np.ndarray]:
    """Outputs, gradients of images and weights, and the moving statistics after a step."""

    def outputs(images: Any, weights: Any) -> Any:
        moving = [variable.value for variable in layer.non_trainable_variables]
        return layer.stateless_call(weights, moving, images, training=True)

    def step(images: Any, upstream: Any) -> Any:
        weights = [variable.value for variable in layer.trainable_variables]
        normalised, backward, moving = jax.vjp(outputs, images, weights, has_aux=True)
        return normalised, backward(upstream.astype(normalised.dtype)), moving

    results = (jax.jit(step) if compiles else step)(images, upstream)
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(results)]


@pytest.mark.parametrize("options", CASES, ids=str)
def test_a_step(options: dict[str, Any]) -> None:
    generator = np.random.default_rng(1)
    ours, keras_own = pair(**options)
    images = jax.numpy.asarray(generator.normal(2, 3, SHAPE), ours.compute_dtype)
    upstream = jax.numpy.asarray(generator.normal(size=SHAPE), "float32")
    half = ours.compute_dtype != "float32"
    results = (trained(layer, images, upstream) for layer in (ours, keras_own))
    for value, expected in zip(*results, strict=True):
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(value, expected, rtol=0, atol=scale * (1e-2 if half else 2e-6))


def test_a_large_mean_costs_no_digits() -> None:
    """A mean of 3,000 standard deviations: the mean of squares alone would leave one digit."""
    ours, _ = pair(center=False, scale=False, epsilon=0.0, momentum=0.0)
    draws = np.random.default_rng(2).normal(3000, 1, SHAPE).astype(np.float32)
    normalised, *_, variance = trained(ours, jax.numpy.asarray(draws), jax.numpy.ones(SHAPE))
    expected = draws.astype(np.float64)
    deviation = expected - expected.mean((0, 1, 2))
    np.testing.assert_allclose(variance, deviation.var((0, 1, 2)), rtol=2e-4)
    np.testing.assert_allclose(normalised, deviation / deviation.std((0, 1, 2)), atol=1e-3)


def test_equal_values_have_no_variance() -> None:
    """And a gradient that is finite."""
    ours, _ = pair(momentum=0.0)
    images = jax.numpy.full(SHAPE, 0.1)
    *values, variance = trained(ours, images, jax.numpy.ones(SHAPE))
    assert not variance.any()
    assert all(np.isfinite(value).all() for value in values)


def test_predictions_are_keras_own() -> None:
    ours, keras_own = pair()
    images = jax.numpy.asarray(np.random.default_rng(3).normal(size=SHAPE), "float32")
    np.testing.assert_array_equal(ours(images), keras_own(images))


def test_other_devices_keep_keras_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "on_gpu", lambda: False)
    assert "call" not in vars(accelerate(keras.layers.BatchNormalization()))
