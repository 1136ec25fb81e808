"""Sums over pixels are exact and do not depend on chunks."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.datasets.content.pixel_statistics import PixelStatistics


def test_sums_are_exact() -> None:
    bright = np.full((3, 300, 300, 1), 255, np.uint8)
    sums = PixelStatistics.of(bright)
    assert sums.squares.tolist() == [3 * 300 * 300 * 255**2]
    assert (sums.sums == 765).all()
    assert sums.count == 3


@pytest.mark.parametrize(
    "shape", [(600, 2, 3, 3), (1, 2**16 + 9, 1, 1), (1, 1, 2**16 + 9, 3), (258, 1, 1, 1)]
)
def test_narrow_sums_do_not_overflow(shape: tuple[int, ...]) -> None:
    """They are made in 16 and 32 bits as long as these hold them."""
    bright = np.full(shape, 255, np.uint8)
    sums = PixelStatistics.of(bright)
    assert (sums.sums == 255 * shape[0]).all()
    assert (sums.squares == 255**2 * shape[0] * shape[1] * shape[2]).all()


def test_images_can_be_taken_out() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 3), dtype=np.uint8)
    left = PixelStatistics.of(images) - PixelStatistics.of(images[3:5])
    kept = PixelStatistics.of(np.delete(images, (3, 4), axis=0))
    for name in ("count", "sums", "squares", "histograms"):
        assert np.array_equal(getattr(left, name), getattr(kept, name))
