"""Update rules against numpy, and what goes around every one of them. On JAX: tests/test_jax.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import UNIT, network
from zoo import backend, losses, optimize
from zoo.errors import RecipeError
from zoo.model.builder import build, decayed
from zoo.optimize.rules import RULES
from zoo.recipe import words

WORDS = list(words.OPTIMIZERS)
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


def all_close(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], rtol: float) -> None:
    assert found.keys() == wanted.keys()
    for path, value in wanted.items():
        np.testing.assert_allclose(found[path], value, rtol=rtol, atol=1e-5, err_msg=path)


# Every rule of the table.


@pytest.mark.parametrize("word", WORDS)
def test_one_step_moves_everything(tmp_path: Path, word: str) -> None:
    net = Net(tmp_path, f"optimizer: {word}")
    before = net.weights
    net.step(net.gradients())
    for path, value in net.weights.items():
        assert np.all(np.isfinite(value)), path
        assert np.any(value != before[path]), path


@pytest.mark.parametrize("word", WORDS)
def test_decay_is_of_kernels_alone(tmp_path: Path, word: str) -> None:
    net = Net(tmp_path, f"optimizer: {{{word}: {{learning_rate: 0.1, weight_decay: 0.5}}}}")
    kernels = {each.path for each in decayed(net.model)[0]}
    before = net.weights
    net.step(net.gradients(0.0))
    for path, value in net.weights.items():
        # Lamb's steps are as long as the kernel, whatever makes them.
        factor = 0.9 if word == "Lamb" else 0.95
        wanted = before[path] * factor if path in kernels else before[path]
        np.testing.assert_allclose(value, wanted, rtol=1e-5, err_msg=path)
    assert len(kernels) == 4


@pytest.mark.parametrize("word", WORDS)
def test_options_come_back(tmp_path: Path, word: str) -> None:
    made = Net(tmp_path, f"optimizer: {{{word}: {{weight_decay: 0.25}}}}").optimizer
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert made.get_config()["weight_decay"] == 0.25


@pytest.mark.parametrize("word", WORDS)
def test_frozen_is_frozen(tmp_path: Path, word: str) -> None:
    """After its epoch a variable and all that the rule keeps about it stay, to the bit."""
    net = Net(
        tmp_path,
        f"optimizer: {{{word}: {{weight_decay: 0.1}}}}, "
        "learning_rate_factors: [{pattern: '^conv1', until_epoch: 0.5}]",
    )
    for _ in range(2):
        net.step(net.gradients())
    before, kept = net.weights, arrays(net.optimizer.variables)
    net.step(net.gradients())
    for path, value in net.weights.items():
        assert np.any(value != before[path]) != path.startswith("conv1"), path
    of_conv1 = {path: value for path, value in kept.items() if "/conv1_" in path}
    assert of_conv1 or "SGD" in word
    for path, value in arrays(net.optimizer.variables).items():
        assert path not in of_conv1 or value.tobytes() == of_conv1[path].tobytes(), path


@pytest.mark.parametrize("word", WORDS)
def test_a_factor_of_one_changes_nothing(tmp_path: Path, word: str) -> None:
    plain = Net(tmp_path, f"optimizer: {{{word}: {{weight_decay: 0.1}}}}")
    factored = Net(
        tmp_path,
        f"optimizer: {{{word}: {{weight_decay: 0.1}}}}, "
        "learning_rate_factors: [{pattern: kernel, until_epoch: 9}]",
    )
    for _ in range(3):
        gradients = plain.gradients()
        plain.step(gradients)
        factored.step(gradients)
    all_close(factored.weights, plain.weights, 1e-5)


# Ours, against numpy.


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
    wanted = net.weights
    buffers = {path: np.zeros_like(value) for path, value in wanted.items()}
    for rate in (0.5, 0.5, 0.01, 0.2):
        net.optimizer.learning_rate = rate
        gradients = net.gradients()
        net.step(gradients)
        for path, gradient in gradients.items():
            g = gradient + (0.1 * wanted[path] if path.endswith("kernel") else 0)
            buffers[path] = momentum * buffers[path] + g
            step = g + momentum * buffers[path] if nesterov else buffers[path]
            wanted[path] = wanted[path] - rate * step
    all_close(net.weights, wanted, 1e-4)


def adam(g: np.ndarray, state: list[Any], count: int) -> np.ndarray:
    """Adam's direction; `state` are its two moments."""
    state[0] = 0.9 * state[0] + 0.1 * g
    state[1] = 0.999 * state[1] + 0.001 * g**2
    mean, square = state[0] / (1 - 0.9**count), state[1] / (1 - 0.999**count)
    return np.asarray(mean / (np.sqrt(square) + 1e-7))


def test_lamb(tmp_path: Path) -> None:
    net = Net(tmp_path, "optimizer: {Lamb: {learning_rate: 0.1, weight_decay: 0.5}}")
    wanted = net.weights
    states: dict[str, list[Any]] = {path: [0.0, 0.0] for path in wanted}
    for count in (1, 2, 3):
        gradients = net.gradients()
        net.step(gradients)
        for path, gradient in gradients.items():
            update, w = adam(gradient, states[path], count), wanted[path]
            if path.endswith("kernel"):
                update = update + 0.5 * w
                update = update * np.linalg.norm(w) / np.linalg.norm(update)
            wanted[path] = w - 0.1 * update
    all_close(net.weights, wanted, 1e-4)


def orthogonal(matrix: np.ndarray, steps: int = 5) -> np.ndarray:
    """Newton-Schulz with Jordan's coefficients, as he writes it."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / np.linalg.norm(x)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def test_muon(tmp_path: Path) -> None:
    """Kernels as matrices; the head, depthwise kernels, biases and norms as AdamW has them."""
    net = Net(tmp_path, "optimizer: {Muon: {learning_rate: 0.1, weight_decay: 0.5}}")
    wanted = net.weights
    matrices = {"conv1/kernel", "fc1/kernel"}
    states: dict[str, list[Any]] = {path: [0.0, 0.0] for path in wanted}
    for count in (1, 2, 3):
        gradients = net.gradients()
        net.step(gradients)
        for path, g in gradients.items():
            w = wanted[path] * (1 - 0.1 * 0.5 * path.endswith("kernel"))
            if path in matrices:
                states[path][0] = 0.95 * states[path][0] + g
                step = (g + 0.95 * states[path][0]).reshape(-1, g.shape[-1])
                scale = 0.2 * np.sqrt(max(step.shape))
                wanted[path] = w - 0.1 * scale * orthogonal(step).reshape(g.shape)
            else:
                wanted[path] = w - 0.1 * adam(g, states[path], count)
    assert matrices < wanted.keys()
    all_close(net.weights, wanted, 2e-3)


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


# Factors.


def test_the_first_pattern_counts(tmp_path: Path) -> None:
    """Of the learning rate, and so of weight decay too."""
    net = Net(
        tmp_path,
        "optimizer: {SGD: {learning_rate: 0.1, weight_decay: 0.5}}, learning_rate_factors: "
        "[{pattern: 'bn/beta$', factor: 64}, {pattern: '^conv1', factor: 0.0}, "
        "{pattern: kernel, factor: 2}]",
    )
    before, gradients = net.weights, net.gradients()
    net.step(gradients)
    for path, value in net.weights.items():
        factor = (
            64 if path.endswith("beta") else 0 if path.startswith("conv1") else
            2 if path.endswith("kernel") else 1
        )  # fmt: skip
        decay = 0.5 * before[path] if path.endswith("kernel") else 0
        # Decay comes first, then the step.
        wanted = before[path] - 0.1 * factor * (decay + gradients[path])
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-6, err_msg=path)


# Accumulated gradients.


def batches(net: Net, count: int) -> tuple[np.ndarray, np.ndarray]:
    images = net.draw.uniform(0, 255, (8 * count, 8, 8, 3)).astype("float32")
    return images, net.draw.integers(0, 4, 8 * count)


PLAIN = "[{conv: {filters: 4, batch_norm: none}}, {fc: {units: 3, batch_norm: none}}]"


@pytest.mark.parametrize("word", ["AdamW", "TorchSGD", "Muon", "Nadam"])
def test_three_small_steps_are_a_large_one(tmp_path: Path, word: str) -> None:
    """Weight decay, clipping and the average of the weights come once an update."""
    more = (
        f"optimizer: {{{word}: {{learning_rate: 0.1, weight_decay: 0.1, global_clipnorm: 0.5}}}}, "
        "ema: {momentum: 0.5}, learning_rate_factors: [{pattern: bias, factor: 3}]"
    )
    large = Net(tmp_path, more, PLAIN)
    small = Net(tmp_path, f"{more}, gradient_accumulation_steps: 3", PLAIN)
    images, labels = batches(large, 6)
    for net, size in ((large, 24), (small, 8)):
        net.model.compile(net.optimizer, losses.make(net.recipe.train.loss))
        for start in range(0, 48, size):
            part = slice(start, start + size)
            net.model.train_on_batch(images[part], labels[part])
    all_close(small.weights, large.weights, 2e-3)
    found, wanted = (
        {one.path: np.array(other) for one, other in net.optimizer.averages()}
        for net in (small, large)
    )
    all_close(found, wanted, 2e-3)
    assert int(small.optimizer.iterations) == int(large.optimizer.iterations) == 2


def test_schedules_count_updates(tmp_path: Path) -> None:
    """Five steps an epoch, two to an update: 7 updates in 3 epochs; the 15th step is left over."""
    train = "schedule: {triangle: 0.5}, optimizer: {SGD: 0.1}, gradient_accumulation_steps: 2"
    net = Net(tmp_path, train, PLAIN, steps=5)
    recipe = net.recipe.model_copy(
        update={"train": net.recipe.train.model_copy(update={"epochs": 3})}
    )
    made = optimize.optimizer(recipe, net.model, 5)
    wanted = optimize.learning_rate(recipe.train.schedule, 0.1, 1, 7)
    found = []
    for _ in range(15):
        found.append(float(made.learning_rate))
        made.apply([keras.ops.convert_to_tensor(each) for each in net.gradients().values()])
    assert found == pytest.approx([float(wanted(step // 2)) for step in range(15)])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert float(again._learning_rate(5)) == pytest.approx(float(wanted(2)))


def test_more_accumulated_than_an_epoch_has(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="gradient_accumulation_steps: an epoch .* its 4 steps"):
        Net(tmp_path, "gradient_accumulation_steps: 5")


# The average of the weights.


@pytest.mark.parametrize("every", [1, 2])
def test_average(tmp_path: Path, every: int) -> None:
    """Rises to its momentum; the first update is taken whole; between updates it rests."""
    more = f", gradient_accumulation_steps: {every}" * (every > 1)
    net = Net(tmp_path, f"optimizer: {{SGD: 0.1}}, ema: {{momentum: 0.3}}{more}")
    wanted = net.weights
    for step in range(1, 13):
        net.step(net.gradients())
        if step % every == 0:
            done = step // every - 1
            share = min(0.3, (1 + done) / (10 + done)) if done else 0.0
            wanted = {
                path: share * wanted[path] + (1 - share) * value
                for path, value in net.weights.items()
            }
        found = {one.path: np.array(other) for one, other in net.optimizer.averages()}
        all_close(found, wanted, 1e-4)
