"""The faster batch norm and max pooling compute what Keras's layers do, and are saved as these."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance import built
from tests.runs import network
from zoo import backend
from zoo.model import fast_layers
from zoo.model.fast_layers import accelerate

TENSORFLOW_ON_CPU = keras.backend.backend() == "tensorflow" and not backend.on_gpu()
pytestmark = pytest.mark.skipif(not TENSORFLOW_ON_CPU, reason="other devices have Keras's layers")
BatchNormalization, MaxPooling2D = keras.layers.BatchNormalization, keras.layers.MaxPooling2D


def trained_call(layer: Any, images: Any, upstream: Any, compiled: bool = False) -> list[Any]:
    """Outputs, gradients of images and weights, and weights after one step of training."""

    def step(images: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, training=True)
            loss = tf.reduce_sum(outputs * tf.cast(upstream, outputs.dtype))
        variables = [variable.value for variable in layer.trainable_variables]
        return outputs, *tape.gradient(loss, [images, *variables])

    results = tf.function(step, jit_compile=compiled)(tf.constant(images))
    return [*map(np.asarray, results), *map(np.asarray, layer.get_weights())]


def pair(layer_class: Any, shape: tuple[int, ...], **options: Any) -> tuple[Any, Any]:
    """A layer that is accelerated, and Keras's, both built and with equal weights."""
    ours, keras_layer = accelerate(layer_class(**options)), layer_class(**options)
    generator = np.random.default_rng(0)
    for layer in (ours, keras_layer):
        layer.build(shape)
    weights = [generator.uniform(0.5, 2, weight.shape) for weight in ours.weights]
    for layer in (ours, keras_layer):
        layer.set_weights(weights)
    return ours, keras_layer


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Counts uses of the fused batch norm."""
    calls: list[Any] = []
    original = fast_layers._fused_batch_norm
    monkeypatch.setattr(
        fast_layers,
        "_fused_batch_norm",
        lambda *arguments: (calls.append(arguments), original(*arguments))[1],
    )
    return calls


@pytest.fixture(autouse=True)
def without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """With oneDNN, max pooling would stay Keras's."""
    monkeypatch.setattr(backend, "has_onednn", lambda: False)


@settings(max_examples=15)
@given(
    size=st.tuples(st.integers(2, 9), *[st.integers(1, 6)] * 3),
    momentum=st.sampled_from([0.0, 0.6, 0.99]),
    epsilon=st.sampled_from([1e-12, 1e-5, 1e-3]),
    center=st.booleans(),
    scale=st.booleans(),
    mean=st.sampled_from([0.0, 10.0]),
    axis=st.sampled_from([-1, 3]),
    seed=st.integers(0, 99),
)
def test_batch_norm_as_keras(size: tuple[int, ...], mean: float, seed: int, **options: Any) -> None:
    generator = np.random.default_rng(seed)
    images = generator.normal(mean, 2, size).astype(np.float32)
    upstream = generator.normal(size=size).astype(np.float32)
    layers = pair(BatchNormalization, size, **options)
    ours, theirs = (trained_call(layer, images, upstream) for layer in layers)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


CASES = {
    "one value a channel": ((1, 1, 1, 3), {}, {}),
    "a constant": ((4, 2, 2, 3), {}, {"constant": True}),
    "XLA": ((4, 3, 3, 2), {}, {"compiled": True}),
    "float16": ((4, 3, 3, 2), {"dtype": "mixed_float16"}, {}),
    "bfloat16": ((4, 3, 3, 2), {"dtype": "mixed_bfloat16"}, {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_batch_norm_in_special_cases(case: Any, fused: list[Any]) -> None:
    size, options, how = case
    images = np.random.default_rng(0).normal(size=size).astype(np.float32)
    images = np.ones_like(images) if how.get("constant") else images
    upstream = np.random.default_rng(1).normal(size=size).astype(np.float32)
    results = [
        trained_call(layer, images, upstream, how.get("compiled", False))
        for layer in pair(BatchNormalization, size, **options)
    ]
    assert len(fused) == 1
    narrow = "dtype" in options
    assert results[0][0].dtype == results[1][0].dtype
    for one, other in zip(*results, strict=True):
        tolerance = 2e-2 if narrow else 1e-4
        np.testing.assert_allclose(
            one.astype(np.float32), other.astype(np.float32), rtol=tolerance, atol=tolerance
        )


KERAS_CASES = {
    "rank 2": ((6, 4), {}),
    "rank 3": ((6, 5, 4), {}),
    "channels first": ((6, 3, 5, 4), {"axis": 1}),
    "float64": ((6, 3, 3, 4), {"dtype": "float64"}),
    "renormalised": ((6, 3, 3, 4), {"renorm": True}),
    "frozen": ((6, 3, 3, 4), {"trainable": False}),
}


@pytest.mark.parametrize("case", KERAS_CASES.values(), ids=KERAS_CASES)
def test_batch_norm_is_left_to_keras(case: Any, fused: list[Any]) -> None:
    size, options = case
    images = np.random.default_rng(0).normal(size=size).astype(options.get("dtype", "float32"))
    results = [
        trained_call(each, images, images) for each in pair(BatchNormalization, size, **options)
    ]
    assert fused == []
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_batch_norm_predicts_with_the_same_bits(fused: list[Any]) -> None:
    images = np.random.default_rng(0).normal(size=(4, 3, 3, 5)).astype(np.float32)
    ours, theirs = (
        layer(images, training=False) for layer in pair(BatchNormalization, images.shape)
    )
    np.testing.assert_array_equal(ours, theirs)
    assert fused == []


def test_batch_norm_repeats_its_bits() -> None:
    """Same inputs, same outputs, gradients and statistics."""
    images = np.random.default_rng(0).normal(size=(64, 16, 16, 8)).astype(np.float32)
    results = [
        trained_call(pair(BatchNormalization, images.shape)[0], images, images[::-1])
        for _ in range(3)
    ]
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, other)


@settings(max_examples=15)
@given(
    windows=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    pool_size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["valid", "same"]),
    dtype=st.sampled_from(["float32", "float64", "mixed_float16", "mixed_bfloat16"]),
    values=st.sampled_from([2, 5, 1000]),  # Few values: ties in most windows.
    seed=st.integers(0, 99),
)
def test_max_pool_as_keras(
    windows: Any, pool_size: Any, padding: str, dtype: str, values: int, seed: int
) -> None:
    """Bits of outputs and gradients, which go to the first of equal maxima."""
    generator = np.random.default_rng(seed)
    size = (3, windows[0] * pool_size[0], windows[1] * pool_size[1], 4)
    images = generator.integers(0, values, size).astype(np.float32)
    upstream = generator.normal(size=(3, *windows, 4)).astype(np.float32)
    layers = [
        layer(pool_size, padding=padding, dtype=dtype)
        for layer in (lambda *a, **k: accelerate(MaxPooling2D(*a, **k)), MaxPooling2D)
    ]
    assert fast_layers._divides(layers[0], size)
    for one, other in zip(
        *(trained_call(layer, images, upstream) for layer in layers), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "options, size",
    [
        ({"pool_size": 3, "strides": 2}, (2, 7, 7, 3)),
        ({"pool_size": 2}, (2, 5, 4, 3)),
        ({"pool_size": 2, "padding": "same"}, (2, 5, 5, 3)),
        ({"pool_size": 2, "strides": 3}, (2, 6, 6, 3)),
    ],
)
def test_other_windows_are_left_to_keras(options: Any, size: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 3, size).astype(np.float32)
    ours, theirs = accelerate(MaxPooling2D(**options)), MaxPooling2D(**options)
    assert not fast_layers._divides(ours, size)
    upstream = np.random.default_rng(1).normal(size=theirs(images).shape)
    for one, other in zip(
        trained_call(ours, images, upstream), trained_call(theirs, images, upstream), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_max_pool_by_hand() -> None:
    """The first of equal maxima gets the gradient: row by row, from the left."""
    image = np.array([[1, 7, 2, 2], [7, 7, 2, 2]], np.float32).reshape(1, 2, 4, 1)
    _, gradient = trained_call(
        accelerate(MaxPooling2D(2)), image, np.array([3, 5]).reshape(1, 1, 2, 1)
    )
    assert gradient[0, ..., 0].tolist() == [[0, 3, 5, 0], [0, 0, 0, 0]]


def test_with_onednn_max_pooling_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "has_onednn", lambda: True)
    assert "call" not in vars(accelerate(MaxPooling2D(2)))


# Files and copies.


def test_files_and_copies_hold_keras_layers(tmp_path: Path) -> None:
    model = built(network(tmp_path, "[{conv: {filters: 4, pool: max}}]"))
    accelerated = [layer for layer in model.layers if "call" in vars(layer)]
    assert [type(layer) for layer in accelerated] == [BatchNormalization, MaxPooling2D]
    model.save(tmp_path / "best.keras")
    with zipfile.ZipFile(tmp_path / "best.keras") as archive:
        config = json.loads(archive.read("config.json"))
    written = {layer["class_name"]: layer for layer in config["config"]["layers"]}
    for layer in accelerated:
        entry = written[type(layer).__name__]
        assert (entry["module"], entry["registered_name"]) == ("keras.layers", None)
    plain = keras.models.clone_model(model)
    plain.set_weights(model.get_weights())
    opened = keras.models.load_model(tmp_path / "best.keras")
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    for copy in (plain, opened):
        assert not any("call" in vars(layer) for layer in copy.layers)
        np.testing.assert_array_equal(copy(images), model(images))
