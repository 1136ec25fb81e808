"""Recipes of public training scripts have the networks of these scripts, to the parameter."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from zoo import loading, plan

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
NAMES = (
    "keras-mnist-convnet",
    "keras-mini-xception",
    "keras-cifar10-cnn",
    "keras-cifar10-resnet",
    "cifar10-vgg16-dropout",
    "tensorflow-flowers",
    "densenet-40-12",
    "senet20",
)


@pytest.fixture(scope="module")
def scripts() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        import public_scripts
    finally:
        sys.path.remove(str(FOLDER))
    assert sorted(public_scripts.SCRIPTS) == sorted(NAMES)
    yield public_scripts
    del sys.modules["public_scripts"], sys.modules["public_networks"]


@pytest.mark.parametrize("name", NAMES)
def test_parameters(scripts: Any, name: str) -> None:
    """Of the script as published, of its network in Keras's layers, and of the recipe."""
    script = scripts.SCRIPTS[name]
    network = script.network(script.shape, script.classes)
    assert network.count_params() == script.parameters
    assert scripts.recipe_parameters(name, script.shape, script.classes) == script.parameters
    trained = sum(math.prod(variable.shape) for variable in network.trainable_variables)
    loaded = loading.load(scripts.recipe_of(name), scripts.size_of(script.shape))
    assert plan.plan(loaded, script.classes).trainable == trained
