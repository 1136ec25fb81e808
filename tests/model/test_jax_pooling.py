"""Max pooling on JAX: values and gradients are Keras's to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="tests/test_jax.py runs it"),
]

CASES = [
    ((3, 8, 8, 4), 2, "valid", "float32"),
    ((2, 7, 9, 3), 2, "valid", "float32"),  # A row and a column fill no window.
    ((2, 9, 10, 3), 3, "valid", "bfloat16"),
    ((2, 6, 6, 2), 3, "same", "float16"),
    ((2, 5, 6, 1), (1, 2), "valid", "float32"),
    ((2, 16, 16, 1), 16, "valid", "float32"),  # As many places as a byte can tell.
    ((2, 17, 17, 1), 17, "valid", "float32"),
]


def with_gradient(layer: Any, images: Any) -> tuple[np.ndarray, np.ndarray]:
    def both(images: Any, upstream: Any) -> Any:
        maxima, backward = jax.vjp(layer, images)
        return maxima, backward(upstream.astype(maxima.dtype))[0]

    shape = layer.compute_output_shape(images.shape)
    upstream = jax.numpy.asarray(np.random.default_rng(1).normal(size=shape), images.dtype)
    maxima, gradient = jax.jit(both)(images, upstream)
    return np.asarray(maxima, np.float64), np.asarray(gradient, np.float64)


@pytest.mark.parametrize("shape, window, padding, dtype", CASES)
def test_values_and_gradients(
    shape: tuple[int, ...], window: Any, padding: str, dtype: str
) -> None:
    """Pixels of few values make ties, whose gradient goes to the first maximum."""
    from zoo.model import jax_pooling

    images = jax.numpy.asarray(np.random.default_rng(0).integers(0, 4, shape), dtype)
    layers = [keras.layers.MaxPooling2D(window, padding=padding, dtype=dtype) for _ in range(2)]
    expected = with_gradient(layers[0], images)
    jax_pooling.accelerate(layers[1])
    for ours, keras_own in zip(with_gradient(layers[1], images), expected, strict=True):
        np.testing.assert_array_equal(ours, keras_own)


@pytest.mark.parametrize(
    "options", [{"pool_size": 3, "strides": 2}, {"pool_size": 2, "padding": "same"}]
)
def test_other_windows_are_keras_own(options: dict[str, Any]) -> None:
    """Overlapping windows, and those that cross the edge."""
    from zoo.model import jax_pooling

    images = jax.numpy.asarray(np.random.default_rng(0).normal(size=(2, 7, 7, 2)), "float32")
    expected = with_gradient(keras.layers.MaxPooling2D(**options), images)
    layer = jax_pooling.accelerate(keras.layers.MaxPooling2D(**options))
    for ours, keras_own in zip(with_gradient(layer, images), expected, strict=True):
        np.testing.assert_array_equal(ours, keras_own)


def test_it_is_saved_as_keras_own(tmp_path: Path) -> None:
    from zoo.model import jax_pooling

    image = keras.Input((8, 8, 3))
    pooled = jax_pooling.accelerate(keras.layers.MaxPooling2D(2))(image)
    keras.Model(image, pooled).save(tmp_path / "pool.keras")
    layer = keras.saving.load_model(tmp_path / "pool.keras").layers[1]
    assert type(layer) is keras.layers.MaxPooling2D
    assert "call" not in vars(layer)
