"""Host and device give the same bits."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.augment.apply import SHAPES, pixels
from tests.augment.on_device import ALONE, TOGETHER, difference, known, one_hot
from tests.conftest import ROOT
from tests.runs import environment

CASES = [steps for steps in [*ALONE, *TOGETHER] if known(steps)]


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
    assert reply["count"] == 4 * len(CASES)
    assert reply["failures"] == []
