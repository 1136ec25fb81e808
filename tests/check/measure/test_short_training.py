"""What a short training leaves."""

from __future__ import annotations

import numpy as np

from zoo.check.measure import short_training


def test_filters_smooth_and_noisy() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:5, 0:5]
    waves = np.stack([np.sin(rows / 2 + k) + np.cos(columns / 2 - k) for k in range(8)], axis=-1)
    smooth, p = short_training.morans_i(waves[:, :, None], rng)
    assert smooth > 0.3
    assert p < 0.01
    noise, p = short_training.morans_i(rng.normal(size=(5, 5, 3, 16)), rng)
    assert abs(noise) < 0.2
    assert p > 0.01
