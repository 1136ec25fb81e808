"""Learning-rate multipliers, gradient accumulation and the moving average, on any rule."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.optimize.net import Net, all_close, arrays
from zoo import losses, optimize
from zoo.recipe import words

pytestmark = pytest.mark.backend

PLAIN = "[{conv: {filters: 4, batch_norm: none}}, {fc: {units: 3, batch_norm: none}}]"


@pytest.mark.parametrize("word", words.OPTIMIZERS)
def test_frozen_is_frozen(tmp_path: Path, word: str) -> None:
    """After its epoch a variable and all that the rule keeps about it stay, to the bit."""
    net = Net(
        tmp_path,
        f"optimizer: {{{word}: {{weight_decay: 0.1}}}}, "
        "learning_rate_factors: [{pattern: '^conv1', until_epoch: 0.5}]",
    )
    for _ in range(2):
        net.step(net.gradients())
    before, state_before = net.weights, arrays(net.optimizer.variables)
    net.step(net.gradients())
    for path, value in net.weights.items():
        assert np.any(value != before[path]) != path.startswith("conv1"), path
    of_conv1 = {path: value for path, value in state_before.items() if "/conv1_" in path}
    assert of_conv1 or "SGD" in word
    for path, value in arrays(net.optimizer.variables).items():
        assert path not in of_conv1 or value.tobytes() == of_conv1[path].tobytes(), path


@pytest.mark.parametrize("word", words.OPTIMIZERS)
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
        expected = before[path] - 0.1 * factor * (decay + gradients[path])
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("schedule", ["constant", "{triangle: {peak_at: 0.5}}"])
@pytest.mark.parametrize("word", ["SGD", "TorchSGD"])
def test_linear_fall(tmp_path: Path, word: str, schedule: str) -> None:
    """From the highest rate, whatever the schedule; weight decay falls with it."""
    net = Net(
        tmp_path,
        f"optimizer: {{{word}: {{learning_rate: 0.1, weight_decay: 0.5}}}}, schedule: {schedule}, "
        "learning_rate_factors: "
        "[{pattern: '^conv1/', factor: 3, until_epoch: 1, linear_fall: true}]",
    )
    path, expected = "conv1/kernel", net.weights["conv1/kernel"]
    for rate in (0.3, 0.225, 0.15, 0.075, 0.0):  # Four steps are an epoch.
        gradients = net.gradients()
        net.step(gradients)
        expected = expected - rate * (gradients[path] + 0.5 * expected)
        np.testing.assert_allclose(net.weights[path], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("common", [0.0, 0.5])
@pytest.mark.parametrize("word", ["SGD", "TorchSGD", "AdamW", "MuonSGD", "Muon"])
def test_weight_decay_by_path(tmp_path: Path, word: str, common: float) -> None:
    """Also of variables that the optimizer's own decay leaves alone; 0 takes it away."""
    net = Net(
        tmp_path,
        f"optimizer: {{{word}: {{learning_rate: 0.1, weight_decay: {common}}}}}, "
        "learning_rate_factors: [{pattern: 'bn/gamma', factor: 2, weight_decay: 0.25}, "
        "{pattern: '^logits/kernel', weight_decay: 0}]",
    )
    before = net.weights
    net.step(net.gradients(0.0))
    nesterov = 1.85 if word == "MuonSGD" else 1.0
    for path, value in net.weights.items():
        decay = 0.25 * 2 if path.endswith("bn/gamma") else common
        if not path.endswith(("bn/gamma", "kernel")) or path.startswith("logits"):
            decay = 0.0
        if word == "MuonSGD" and path in ("conv1/kernel", "fc1/kernel"):
            continue  # Their norm is given.
        np.testing.assert_allclose(
            value, before[path] * (1 - 0.1 * decay * nesterov), rtol=1e-5, err_msg=path
        )
    config = net.optimizer.get_config()
    assert config["weight_decay"] == (common if common or word == "AdamW" else None)


def averages_of(net: Net) -> dict[str, np.ndarray]:
    return {variable.path: np.array(average) for variable, average in net.optimizer.averages()}


def batches(net: Net, count: int) -> tuple[np.ndarray, np.ndarray]:
    images = net.draw.uniform(0, 255, (8 * count, 8, 8, 3)).astype("float32")
    return images, net.draw.integers(0, 4, 8 * count)


@pytest.mark.parametrize("word", ["AdamW", "TorchSGD", "Muon", "MuonSGD", "Nadam"])
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
        net.model.compile(net.optimizer, losses.make_loss(net.recipe.train.loss))
        for start in range(0, 48, size):
            part = slice(start, start + size)
            net.model.train_on_batch(images[part], labels[part])
    all_close(small.weights, large.weights, 2e-3)
    all_close(averages_of(small), averages_of(large), 2e-3)
    assert int(small.optimizer.iterations) == int(large.optimizer.iterations) == 2


def test_schedules_count_updates(tmp_path: Path) -> None:
    """Five steps an epoch, two to an update: 7 updates in 3 epochs; the 15th step is left over."""
    train = "schedule: {triangle: 0.5}, optimizer: {SGD: 0.1}, gradient_accumulation_steps: 2"
    net = Net(tmp_path, train, PLAIN, steps=5)
    recipe = net.recipe.model_copy(
        update={"train": net.recipe.train.model_copy(update={"epochs": 3})}
    )
    optimizer = optimize.optimizer(recipe, net.model, 5)
    schedule = optimize.learning_rate(recipe.train.schedule, 0.1, 1, 7)
    rates = []
    for _ in range(15):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.convert_to_tensor(each) for each in net.gradients().values()])
    assert rates == pytest.approx([float(schedule(step // 2)) for step in range(15)])
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert float(restored._learning_rate(5)) == pytest.approx(float(schedule(2)))


@pytest.mark.parametrize("every", [1, 2])
def test_average(tmp_path: Path, every: int) -> None:
    """Rises to its momentum; the first update is taken whole; between updates it rests."""
    more = f", gradient_accumulation_steps: {every}" * (every > 1)
    net = Net(tmp_path, f"optimizer: {{SGD: 0.1}}, ema: {{momentum: 0.3}}{more}")
    expected = net.weights
    for step in range(1, 13):
        net.step(net.gradients())
        if step % every == 0:
            done = step // every - 1
            share = min(0.3, (1 + done) / (10 + done)) if done else 0.0
            expected = {
                path: share * expected[path] + (1 - share) * value
                for path, value in net.weights.items()
            }
        all_close(averages_of(net), expected, 1e-4)
