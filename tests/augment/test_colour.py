"""Brightness, contrast, saturation and hue change what they name and nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.augment.apply import (
    apply,
    pixels,
)
from zoo.augment.colour import YIQ


def jitter(images: np.ndarray, **factors: float) -> np.ndarray:
    return apply(images, {"random_color_jitter": factors})


def test_brightness_adds() -> None:
    changed = jitter(np.full((500, 2, 3, 3), 100, np.uint8), brightness_factor=0.2).astype(int)
    assert (np.ptp(changed, axis=(1, 2, 3)) == 0).all()
    moved = changed[:, 0, 0, 0] - 100
    assert (moved.min(), moved.max()) == (-51, 51)
    assert abs(moved.mean()) < 8


def test_contrast_keeps_the_mean() -> None:
    images = pixels((200, 16, 16, 3)) // 4 + 96
    changed = jitter(images, contrast_factor=0.5).astype(float)
    assert np.abs(changed.mean(axis=(1, 2)) - images.mean(axis=(1, 2))).max() < 0.5
    stretch = changed.std(axis=(1, 2)) / images.std(axis=(1, 2))
    assert stretch.min() == pytest.approx(0.5, abs=0.03)
    assert stretch.max() == pytest.approx(1.5, abs=0.03)
    assert np.ptp(stretch, axis=1).max() < 0.03  # All channels alike.


def test_saturation_and_hue_keep_luma_and_grey() -> None:
    images = pixels((100, 4, 4, 3)) // 8 + 112  # So pale that nothing is cut off.
    grey = np.repeat(pixels((100, 4, 4, 1)), 3, axis=-1)
    for factors in ({"saturation_factor": 1.0}, {"hue_factor": 1.0}):
        changed = jitter(images, **factors)
        assert not np.array_equal(changed, images)
        assert np.abs(changed @ YIQ[0] - images @ YIQ[0]).max() < 1.0
        assert np.array_equal(jitter(grey, **factors), grey)


def test_hue_turns_and_saturation_stretches() -> None:
    """In the plane of colours: one keeps the length, the other the direction."""

    def plane(images: np.ndarray) -> np.ndarray:
        colours: np.ndarray = images[:, 0, 0] @ YIQ[1:].T
        return colours[:, 0] + 1j * colours[:, 1]

    images = np.full((400, 1, 1, 3), (150, 100, 110), np.uint8)
    before = plane(images)
    turned = plane(jitter(images, hue_factor=0.5)) / before
    assert np.abs(np.abs(turned) - 1).max() < 0.06
    assert np.abs(np.angle(turned)).max() == pytest.approx(np.pi / 2, abs=0.1)
    stretched = plane(jitter(images, saturation_factor=0.5)) / before
    assert np.abs(stretched.imag).max() < 0.06
    assert (stretched.real.min(), stretched.real.max()) == pytest.approx((0.5, 1.5), abs=0.06)


@pytest.mark.parametrize("factor", [-1.0, -0.37, 0.2, 1.0])
def test_brightness_like_the_layer_of_keras(factor: float) -> None:
    images = pixels((2, 6, 7, 3))
    changed = apply(images, {"random_brightness": {"factor": [factor, factor]}})
    layer = keras.layers.RandomBrightness((factor, factor))
    wanted = np.asarray(layer(images.astype(np.float32), training=True))
    assert np.abs(changed - wanted).max() <= 0.5001


def test_brightness_is_uniform() -> None:
    changed = apply(np.full((2000, 1, 1, 1), 128, np.uint8), {"random_brightness": 0.4})
    moved = np.quantile(changed.ravel().astype(int) - 128, [0, 0.25, 0.5, 0.75, 1])
    assert np.abs(moved - 0.4 * 255 * np.linspace(-1, 1, 5)).max() < 6


def test_contrast_follows_its_formula_and_law() -> None:
    """About the mean of each channel, by 1 - low to 1 + high, the same for all channels."""
    images = np.repeat(pixels((1, 9, 7, 3)), 500, axis=0)
    changed = apply(images, {"random_contrast": {"factor": [0.2, 0.6]}}, seed=5)
    stretches = 1 + np.random.default_rng(5).uniform(-0.2, 0.6, (500, 1, 1, 1))
    means = images.mean(axis=(1, 2), keepdims=True)
    wanted = (means + (images - means) * stretches).clip(0, 255)
    assert np.abs(changed - wanted).max() <= 0.51  # Half a level by rounding.


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.sampled_from([(3, 32, 32, 3), (3, 7, 9, 3), (3, 1, 1, 3), (3, 7, 9, 1)]),
    st.integers(0, 100),
)
def test_integers_are_near_the_formula_of_floats(
    factors: list[float], shape: tuple[int, ...], seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    names = ("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")
    step = {"random_color_jitter": dict(zip(names, factors, strict=True))}
    changed = apply(images, step, seed=seed)
    wanted = jitter_of_floats(images, factors, np.random.default_rng(seed))
    assert np.abs(changed - np.rint(wanted)).max() <= 1
    assert np.abs(changed - wanted).max() <= 0.54  # Half a level by rounding at the end.


def jitter_of_floats(
    images: np.ndarray, factors: list[float], generator: np.random.Generator
) -> np.ndarray:
    """What jitter does, in float64 and not rounded; see `draw_random_color_jitter`."""
    count, *_, channels = images.shape
    limits = np.array(factors) * (255, 1, 1, np.pi)
    brightness, contrast, saturation, angle = generator.uniform(-1, 1, (4, count)) * limits[:, None]
    results = np.empty(images.shape)
    for i, image in enumerate(images):
        means = image.mean(axis=(0, 1))
        stretched = means + (1 + contrast[i]) * (image - means)
        if channels == 3:
            y, u, v = np.moveaxis(stretched @ YIQ.T, -1, 0)
            turned = (u + 1j * v) * (1 + saturation[i]) * np.exp(1j * angle[i])
            turned = np.stack([y, turned.real, turned.imag], axis=-1)
            stretched = turned @ np.linalg.inv(YIQ).T
        results[i] = stretched + brightness[i]
    return results.clip(0, 255)
