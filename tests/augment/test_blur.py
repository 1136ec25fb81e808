"""Gaussian blur, against scipy's on the same draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tests.augment.apply import apply, pixels


@pytest.mark.parametrize("size, sigma", [(3, 0.5), (5, 1.3), (9, 40.0), (23, 4.0)])
def test_blur_is_that_of_scipy(size: int, sigma: float) -> None:
    images = pixels((2, 31, 24, 3))
    step = {"gaussian_blur": {"kernel_size": size, "sigma": [sigma, sigma]}}
    wanted = ndimage.gaussian_filter(
        images.astype(float), sigma, mode="mirror", radius=size // 2, axes=(1, 2)
    )
    assert np.abs(apply(images, step) - wanted).max() <= 0.6  # Half a level by rounding.


def test_blur_keeps_one_colour_and_ends_of_the_range() -> None:
    """Weights add up to 1 exactly, and products of the brightest pixels do not overflow."""
    for value in (0, 1, 254, 255):
        images = np.full((20, 5, 6, 3), value, np.uint8)
        assert (apply(images, {"gaussian_blur": 5}) == value).all()


def test_share_and_width_of_blurred_images() -> None:
    dot = np.zeros((1000, 7, 7, 1), np.uint8)
    dot[:, 3, 3] = 255
    step = {"gaussian_blur": {"kernel_size": 3, "sigma": [0.5, 1.0], "factor": 0.4}}
    changed = apply(dot, step)
    blurred = (changed != dot).any(axis=(1, 2, 3))
    assert 322 <= blurred.sum() <= 478  # Five standard deviations are 78.
    ratio = changed[blurred, 3, 2, 0] / changed[blurred, 3, 3, 0].astype(float)
    sigmas = np.sqrt(-0.5 / np.log(ratio))
    assert 0.48 < sigmas.min() < 0.53  # Two levels in a hundred, by rounding.
    assert 0.97 < sigmas.max() < 1.03
