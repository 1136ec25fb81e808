"""Sums over pixels are exact and do not depend on chunks."""

from __future__ import annotations

import numpy as np

from zoo.data.content.pixel_statistics import PixelStatistics


def test_sums_are_exact() -> None:
    bright = np.full((3, 300, 300, 1), 255, np.uint8)
    sums = PixelStatistics.of(bright)
    assert sums.squares.tolist() == [3 * 300 * 300 * 255**2]
    assert (sums.sums == 765).all()
    assert sums.count == 3
