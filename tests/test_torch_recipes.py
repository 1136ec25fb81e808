"""benchmarks/torch_recipes.py trains as the recipes do: no comparison would be fair otherwise."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo import loading, plan
from zoo.optimize import learning_rate

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "torch_recipes.py"
PLAIN = ("digits-tiny", "cifar10-quick", "resnet20", "resnet9", "vgg16-bn")
NAMES = (*PLAIN, "airbench94", "airbench96", "airbench94-muon")
STEPS_PER_EPOCH = 7


@pytest.fixture(scope="module")
def peers() -> Any:
    spec = importlib.util.spec_from_file_location("torch_recipes", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["torch_recipes"] = module  # `dataclass` looks its module up.
    spec.loader.exec_module(module)
    yield module.RECIPES
    del sys.modules["torch_recipes"]


@pytest.mark.parametrize("name", NAMES)
def test_parameters(peers: Any, name: str) -> None:
    layers = plan.plan(loading.load(name, []), 10).layers
    assert peers[name].parameters == sum(layer.trainable for layer in layers)


@pytest.mark.parametrize("name", NAMES)
def test_batches_and_loss(peers: Any, name: str) -> None:
    peer, train = peers[name], loading.load(name, []).train
    assert peer.batch == train.batch_size
    assert peer.drops_remainder == train.drop_remainder
    assert peer.smoothing == train.loss.options.label_smoothing


@pytest.mark.parametrize("name", NAMES)
def test_augmentation(peers: Any, name: str) -> None:
    peer = peers[name]
    steps = {step.word: step.options for step in loading.load(name, []).data.augment}
    flips = {"random": "random_flip", "alternating": "alternating_flip", None: None}
    assert {"random_flip", "alternating_flip"} & set(steps) == {flips[peer.flip]} - {None}
    assert peer.crop == (steps["random_crop"].padding if "random_crop" in steps else 0)
    assert not peer.crop or peer.fill == steps["random_crop"].fill
    assert peer.cutout == (steps["cutout"].size if "cutout" in steps else 0)
    assert peer.cutout_is_inside == ("cutout" in steps and steps["cutout"].inside)


@pytest.mark.parametrize("name", PLAIN)
def test_optimizer(peers: Any, name: str) -> None:
    peer, train = peers[name], loading.load(name, []).train
    words = {"sgd": "TorchSGD", "adam": "Adam"}
    options = train.optimizer.options
    assert words[peer.optimizer] == train.optimizer.word
    assert peer.rate == options.learning_rate
    assert peer.decay == options.weight_decay
    if peer.optimizer == "sgd":
        assert (peer.momentum, peer.nesterov) == (options.momentum, options.nesterov)


@pytest.mark.parametrize("name", PLAIN)
def test_learning_rate_of_each_step(peers: Any, name: str) -> None:
    peer, train = peers[name], loading.load(name, []).train
    assert peer.epochs == train.epochs
    total = train.epochs * STEPS_PER_EPOCH
    schedule = learning_rate(train.schedule, 1.0, train.epochs, STEPS_PER_EPOCH)
    expected = np.array([float(schedule(step)) for step in range(total)])
    np.testing.assert_allclose(peer.schedule(total, STEPS_PER_EPOCH), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["airbench94", "airbench96"])
def test_airbench_is_the_recipe(peers: Any, name: str) -> None:
    """But for the length of airbench94, 9.9 epochs, and for its decay of shifts."""
    peer, train = peers[name], loading.load(name, []).train
    options = train.optimizer.options
    # Its loss is a sum over the batch, the recipe's a mean.
    assert peer.rate * peer.batch == pytest.approx(options.learning_rate, rel=1e-3)
    assert peer.decay / peer.batch == pytest.approx(options.weight_decay, rel=1e-3)
    assert (peer.momentum, peer.nesterov) == (options.momentum, options.nesterov)
    whiten, shifts = train.learning_rate_factors
    assert (whiten.factor, whiten.until_epoch) == (1, peer.whiten_epochs)
    assert shifts.factor == peer.bias_factor
    if name == "airbench96":
        assert peer.epochs == train.epochs
        assert whiten.weight_decay == options.weight_decay
        assert shifts.weight_decay == pytest.approx(options.weight_decay / shifts.factor, rel=1e-5)
    assert_schedules_agree(peer, train)


def assert_schedules_agree(peer: Any, train: Any) -> None:
    schedule = learning_rate(train.schedule, 1.0, 10, 100)
    expected = np.array([float(schedule(step)) for step in range(1000)])
    np.testing.assert_allclose(peer.schedule(1000, 100), expected, atol=1e-5)


def test_airbench_with_muon_is_the_recipe(peers: Any) -> None:
    peer, train = peers["airbench94-muon"], loading.load("airbench94-muon", []).train
    rates, options = peer.muon, train.optimizer.options
    assert peer.epochs == train.epochs
    assert (rates.filters, rates.momentum) == (options.learning_rate, options.momentum)
    assert (peer.momentum, peer.nesterov) == (options.sgd_momentum, options.nesterov)
    whiten, shifts, head = train.learning_rate_factors
    assert whiten.until_epoch == rates.whiten_epochs
    assert whiten.linear_fall
    # Its loss is a sum over the batch, the recipe's a mean.
    sgd = options.learning_rate * options.sgd_lr_ratio / peer.batch
    assert sgd * whiten.factor == pytest.approx(rates.biases, rel=1e-6)
    assert sgd * shifts.factor == pytest.approx(rates.biases, rel=1e-6)
    assert sgd * head.factor == pytest.approx(rates.head, rel=1e-6)
    decays = (whiten.weight_decay, shifts.weight_decay, options.weight_decay)
    expected = [
        rates.decay / rate / peer.batch for rate in (rates.biases, rates.biases, rates.head)
    ]
    assert decays == pytest.approx(expected, rel=1e-6)
    assert_schedules_agree(peer, train)
