"""Host and device give the same bits."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.augment.apply import SHAPES, pixels
from tests.augment.on_device import ALONE, TOGETHER, difference, one_hot, parse, picture_batches
from tests.conftest import ROOT
from tests.runs import environment
from zoo.augment import AUGMENTATIONS
from zoo.augment.device import DEVICE_WORDS, apply_on_device
from zoo.augment.rand_augment import OPERATIONS
from zoo.recipe import words

CASES = [*ALONE, *TOGETHER]


def test_device_has_every_word() -> None:
    assert words.AUGMENTATIONS.keys() == DEVICE_WORDS


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("steps", CASES, ids=str)
def test_host_and_device_agree(steps: list[Any], shape: tuple[int, ...]) -> None:
    assert not difference(steps, pixels(shape), one_hot(shape[0]), seed=3, compile=False)


@pytest.mark.parametrize("steps", CASES, ids=str)
def test_host_and_device_agree_in_a_compiled_function(steps: list[Any]) -> None:
    """One trace takes batches of several sizes, as the last batch of an epoch needs."""
    for count in (6, 2, 4):
        images = pixels((count, 7, 9, 3))
        assert not difference(steps, images, one_hot(count), seed=count, compile=True)


@settings(max_examples=10, deadline=None)
@given(
    st.floats(0.01, 1.0),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
    st.integers(0, 100),
)
def test_host_and_device_agree_on_rand_augment(
    factor: float, shape: tuple[int, ...], seed: int
) -> None:
    step = {"rand_augment": {"num_ops": 3, "factor": factor}}
    assert not difference([step], pixels(shape), one_hot(shape[0]), seed, compile=False)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_host_and_device_agree_on_each_operation(operation: str) -> None:
    """All pictures get the operation, in both directions."""
    (chosen,) = parse([{"rand_augment": {"num_ops": 1, "factor": 0.7}}])
    images = np.concatenate(list(picture_batches().values()))
    number = list(OPERATIONS).index(operation)
    draws = {
        "operations": np.full((len(images), 1), number, np.int32),
        "signs": np.resize(np.int32([-1, 1]), (len(images), 1)),
    }
    expected = AUGMENTATIONS["rand_augment"].apply(images, chosen.options, draws)
    tensors = {name: keras.ops.convert_to_tensor(array) for name, array in draws.items()}
    received, _ = apply_on_device(keras.ops.convert_to_tensor(images), None, [chosen], [tensors])
    assert np.array_equal(keras.ops.convert_to_numpy(received), expected)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from([steps[0] for steps in CASES]), min_size=1, max_size=3),
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
    st.integers(0, 1000),
)
def test_host_and_device_agree_in_any_order(
    steps: list[Any], shape: tuple[int, ...], seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    assert not difference(steps, images, one_hot(shape[0]), seed, compile=False)


@pytest.mark.slow
def test_host_and_device_agree_on_jax() -> None:
    pytest.importorskip("jax", reason="pip install jax")
    process = subprocess.run(
        [sys.executable, "-m", "tests.augment.on_device"],
        cwd=ROOT,
        env=environment(KERAS_BACKEND="jax"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    reply = json.loads(process.stdout)
    assert reply["backend"] == "jax"
    assert reply["count"] == len(picture_batches()) * len(CASES)
    assert reply["failures"] == []
