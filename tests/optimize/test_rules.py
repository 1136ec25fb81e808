"""Update rules against numpy. On JAX: tests/test_jax.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.optimize.net import Net, all_close
from zoo.model.builder import decayed
from zoo.optimize.rules import RULES, orthogonalised
from zoo.recipe import words


@pytest.mark.backend
@pytest.mark.parametrize("word", words.OPTIMIZERS)
def test_one_step_moves_everything(tmp_path: Path, word: str) -> None:
    net = Net(tmp_path, f"optimizer: {word}")
    before = net.weights
    net.step(net.gradients())
    for path, value in net.weights.items():
        assert np.all(np.isfinite(value)), path
        assert np.any(value != before[path]), path


@pytest.mark.backend
@pytest.mark.parametrize("word", words.OPTIMIZERS)
def test_decay_is_of_kernels_alone(tmp_path: Path, word: str) -> None:
    net = Net(tmp_path, f"optimizer: {{{word}: {{learning_rate: 0.1, weight_decay: 0.5}}}}")
    kernels = {each.path for each in decayed(net.model)[0]}
    before = net.weights
    net.step(net.gradients(0.0))
    for path, value in net.weights.items():
        # Lamb's steps are as long as the kernel, whatever makes them; MuonSGD's head has
        # Nesterov's momentum.
        factor = {"Lamb": 0.9, "MuonSGD": 1 - 0.05 * 1.85}.get(word, 0.95)
        if word == "MuonSGD" and path in ("conv1/kernel", "fc1/kernel"):
            factor = value.shape[-1] ** 0.5 / np.linalg.norm(before[path])
        expected = before[path] * factor if path in kernels else before[path]
        np.testing.assert_allclose(value, expected, rtol=1e-5, err_msg=path)
    assert len(kernels) == 4


@pytest.mark.parametrize("word", words.OPTIMIZERS)
def test_options_come_back(tmp_path: Path, word: str) -> None:
    optimizer = Net(tmp_path, f"optimizer: {{{word}: {{weight_decay: 0.25}}}}").optimizer
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(restored) is type(optimizer)
    assert restored.get_config() == optimizer.get_config()
    assert optimizer.get_config()["weight_decay"] == 0.25


@pytest.mark.backend
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_torch_sgd(tmp_path: Path, momentum: float, nesterov: bool) -> None:
    """The buffer knows nothing of older learning rates."""
    if nesterov and not momentum:
        return
    net = Net(
        tmp_path,
        f"optimizer: {{TorchSGD: {{momentum: {momentum}, nesterov: {str(nesterov).lower()}, "
        "weight_decay: 0.1}}",
    )
    expected = net.weights
    buffers = {path: np.zeros_like(value) for path, value in expected.items()}
    for rate in (0.5, 0.5, 0.01, 0.2):
        net.optimizer.learning_rate = rate
        gradients = net.gradients()
        net.step(gradients)
        for path, gradient in gradients.items():
            g = gradient + (0.1 * expected[path] if path.endswith("kernel") else 0)
            buffers[path] = momentum * buffers[path] + g
            step = g + momentum * buffers[path] if nesterov else buffers[path]
            expected[path] = expected[path] - rate * step
    all_close(net.weights, expected, 1e-4)


def adam(g: np.ndarray, state: list[Any], count: int) -> np.ndarray:
    """Adam's direction; `state` are its two moments."""
    state[0] = 0.9 * state[0] + 0.1 * g
    state[1] = 0.999 * state[1] + 0.001 * g**2
    mean, square = state[0] / (1 - 0.9**count), state[1] / (1 - 0.999**count)
    return np.asarray(mean / (np.sqrt(square) + 1e-7))


@pytest.mark.backend
def test_lamb(tmp_path: Path) -> None:
    net = Net(tmp_path, "optimizer: {Lamb: {learning_rate: 0.1, weight_decay: 0.5}}")
    expected = net.weights
    states: dict[str, list[Any]] = {path: [0.0, 0.0] for path in expected}
    for count in (1, 2, 3):
        gradients = net.gradients()
        net.step(gradients)
        for path, gradient in gradients.items():
            update, w = adam(gradient, states[path], count), expected[path]
            if path.endswith("kernel"):
                update = update + 0.5 * w
                update = update * np.linalg.norm(w) / np.linalg.norm(update)
            expected[path] = w - 0.1 * update
    all_close(net.weights, expected, 1e-4)


def orthogonal(matrix: np.ndarray, steps: int = 5) -> np.ndarray:
    """Newton-Schulz with Jordan's coefficients, as he writes it."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / np.linalg.norm(x)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


@pytest.mark.backend
@pytest.mark.parametrize("nesterov", [False, True])
def test_muon_sgd(tmp_path: Path, nesterov: bool) -> None:
    """Kernels have the norm sqrt(filters) before each step; all else as TorchSGD has it."""
    net = Net(
        tmp_path,
        "optimizer: {MuonSGD: {learning_rate: 0.2, momentum: 0.6, sgd_momentum: 0.8, "
        f"sgd_lr_ratio: 5, weight_decay: 0.1, nesterov: {str(nesterov).lower()}}}}}",
    )
    expected = net.weights
    buffers = {path: np.zeros_like(value) for path, value in expected.items()}
    for rate in (0.2, 0.1, 0.05):
        net.optimizer.learning_rate = rate
        gradients = net.gradients()
        net.step(gradients)
        for path, g in gradients.items():
            w, is_matrix = expected[path], path in ("conv1/kernel", "fc1/kernel")
            if path.endswith("kernel") and not is_matrix:
                g = g + 0.1 * w
            kept = 0.6 if is_matrix else 0.8
            buffers[path] = kept * buffers[path] + g
            step = g + kept * buffers[path] if nesterov else buffers[path]
            if is_matrix:
                filters = w.shape[-1]
                step = orthogonal(step.reshape(-1, filters), 3).reshape(w.shape)
                w = w * filters**0.5 / np.linalg.norm(w)
            expected[path] = w - rate * (1 if is_matrix else 5) * step
    all_close(net.weights, expected, 1e-3)


@pytest.mark.backend
def test_orthogonalised_in_16_bits() -> None:
    """Singular values come near 1, but for those far below the largest."""
    matrix = np.random.default_rng(0).normal(size=(40, 12)).astype("float32")
    tensor = keras.ops.cast(matrix, "bfloat16")
    result = orthogonalised(tensor, 3)
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    array = keras.ops.convert_to_numpy(keras.ops.cast(result, "float32"))
    np.testing.assert_allclose(array, orthogonal(matrix, 3), atol=0.02)
    values = np.linalg.svd(array, compute_uv=False)
    assert 0.6 < values.min() < values.max() < 1.3


@pytest.mark.backend
def test_muon(tmp_path: Path) -> None:
    """Kernels as matrices; the head, depthwise kernels, biases and norms as AdamW has them."""
    net = Net(tmp_path, "optimizer: {Muon: {learning_rate: 0.1, weight_decay: 0.5}}")
    expected = net.weights
    matrices = {"conv1/kernel", "fc1/kernel"}
    states: dict[str, list[Any]] = {path: [0.0, 0.0] for path in expected}
    for count in (1, 2, 3):
        gradients = net.gradients()
        net.step(gradients)
        for path, g in gradients.items():
            w = expected[path] * (1 - 0.1 * 0.5 * path.endswith("kernel"))
            if path in matrices:
                states[path][0] = 0.95 * states[path][0] + g
                step = (g + 0.95 * states[path][0]).reshape(-1, g.shape[-1])
                scale = 0.2 * np.sqrt(max(step.shape))
                expected[path] = w - 0.1 * scale * orthogonal(step).reshape(g.shape)
            else:
                expected[path] = w - 0.1 * adam(g, states[path], count)
    assert matrices < expected.keys()
    all_close(net.weights, expected, 2e-3)


@pytest.mark.backend
def test_muon_makes_matrices_orthogonal(tmp_path: Path) -> None:
    """All singular values of a step are near one: Keras's own Muon leaves convolutions to AdamW."""
    net = Net(tmp_path, "optimizer: {Muon: {learning_rate: 1.0, rms_rate: 1.0}}")
    before = net.weights["conv1/kernel"]
    net.step(net.gradients())
    step = (before - net.weights["conv1/kernel"]).reshape(-1, before.shape[-1])
    values = np.linalg.svd(step / np.sqrt(max(step.shape)), compute_uv=False)
    assert 0.6 < values.min() <= values.max() < 1.3


def test_rules_are_those_that_keras_lacks() -> None:
    assert {word for word, entry in words.OPTIMIZERS.items() if not entry.keras} == set(RULES)
