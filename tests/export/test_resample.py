"""Resizing in TensorFlow operations gives the pixels of Pillow, bit for bit."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.pictures import (
    pixels,
)
from zoo.datasets.decoding.images import RESAMPLING, ImageSpec, fit
from zoo.export import graph, resample

SIDES = st.integers(1, 200)
TARGETS = [(17, 29), (32, 32), (64, 5), (1, 1), (96, 130)]
WAYS = ({}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True})


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """No seeds: setting TensorFlow's makes it optimise each graph again, and nothing draws here."""


def resizer(spec: ImageSpec) -> Callable[[np.ndarray], np.ndarray]:
    """`graph.resize`, traced once."""
    image = tf.TensorSpec((None, None, spec.channels), tf.uint8)
    function = tf.function(lambda pixels: graph.resize(pixels, spec), [image], autograph=False)
    return lambda pixels: function(pixels).numpy()


@pytest.mark.parametrize("word", RESAMPLING)
def test_any_size(word: str) -> None:
    """Plain, cropped and padded, in colour and grey."""
    targets = itertools.cycle(TARGETS)
    channels = itertools.cycle((3, 1) if word in ("bilinear", "area") else (1, 3))
    specs = [ImageSpec(*next(targets), next(channels), word, **way) for way in WAYS]
    resized = [(spec, resizer(spec)) for spec in specs]

    @given(height=SIDES, width=SIDES, seed=st.integers(0, 9))
    @settings(max_examples=40)
    @example(height=1, width=1, seed=0)
    @example(height=1, width=200, seed=0)
    @example(height=200, width=1, seed=0)
    @example(height=200, width=199, seed=0)
    @example(height=150, width=40, seed=0)
    @example(height=60, width=110, seed=0)
    def check(height: int, width: int, seed: int) -> None:
        for spec, resize in resized:
            image = pixels(height, width, spec.channels, seed)
            np.testing.assert_array_equal(resize(image), fit(image, spec), str(spec))

    check()


@pytest.mark.parametrize("block", [1, 700, 5000])
def test_in_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of several blocks, of which the last is smaller; also blocks of one column."""
    monkeypatch.setattr(resample, "BLOCK", block)
    spec = ImageSpec(20, 30, 3, "lanczos3")
    resize = resizer(spec)
    for height, width in ((45, 67), (20, 90), (7, 11)):
        image = pixels(height, width)
        np.testing.assert_array_equal(resize(image), fit(image, spec))
