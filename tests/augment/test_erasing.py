"""Cutout and random erasing overwrite one rectangle of an image."""

from __future__ import annotations

import numpy as np

from tests.augment.apply import (
    BLANK,
    apply,
    pixels,
)


def test_cutout_is_a_square_that_may_reach_over_the_edge() -> None:
    images = np.full((400, 8, 8, 3), 7, np.uint8)
    changed = apply(images, {"cutout": {"size": 3, "value": 200}})
    sizes = set()
    for image in changed:
        cut = (image == 200).all(axis=-1)
        rows, columns = np.flatnonzero(cut.any(axis=1)), np.flatnonzero(cut.any(axis=0))
        # A rectangle without holes, all channels alike; nothing else has changed.
        assert cut.sum() == len(rows) * len(columns)
        assert (image[~cut] == 7).all()
        assert np.ptp(rows) + 1 == len(rows)
        # Only at a border is it smaller than asked for.
        if len(rows) < 3:
            assert rows[0] == 0 or rows[-1] == 7
        sizes.add((len(rows), len(columns)))
    # The centre lies in the image, so half of the square at least does.
    assert sizes == {(a, b) for a in (2, 3) for b in (2, 3)}


def test_cutout_centre_is_anywhere() -> None:
    """Every pixel is hit, corners too."""
    changed = apply(np.zeros((600, 5, 5, 1), np.uint8), {"cutout": {"size": 1, "value": 9}})
    assert (changed == 9).sum() == 600
    assert (changed == 9).any(axis=0).all()


def test_cutout_inside_is_a_whole_square_anywhere() -> None:
    images = np.full((900, 6, 7, 3), 7, np.uint8)
    cut = (apply(images, {"cutout": {"size": 3, "value": 9, "inside": True}}) == 9).all(axis=-1)
    assert (cut.sum(axis=(1, 2)) == 9).all()
    tops, lefts = cut.any(axis=2).argmax(axis=1), cut.any(axis=1).argmax(axis=1)
    assert set(zip(tops.tolist(), lefts.tolist(), strict=True)) == {
        (top, left) for top in range(4) for left in range(5)
    }


def test_larger_than_the_image() -> None:
    changed = apply(pixels((3, 4, 4, 1)), BLANK)
    assert not changed.any()


def test_erasing_is_a_rectangle_inside_of_the_image() -> None:
    images = np.full((600, 20, 30, 3), 7, np.uint8)
    step = {"factor": 0.4, "scale": [0.1, 0.3], "aspect_ratio": [0.5, 2.0], "fill_value": 200}
    cut = (apply(images, {"random_erasing": step}) == 200).all(axis=-1)
    chosen = cut[cut.any(axis=(1, 2))]
    assert 180 <= len(chosen) <= 300  # Five standard deviations are 60.
    tall, wide = chosen.any(axis=2).sum(axis=1), chosen.any(axis=1).sum(axis=1)
    areas = chosen.sum(axis=(1, 2))
    assert np.array_equal(areas, tall * wide)
    # Sides are whole pixels: half of one on either side of what was drawn.
    assert ((tall + 0.5) * (wide + 0.5) >= 0.1 * 600).all()
    assert ((tall - 0.5) * (wide - 0.5) <= 0.3 * 600).all()
    assert ((tall + 0.5) / (wide - 0.5) >= 0.5).all()
    assert ((tall - 0.5) / (wide + 0.5) <= 2.0).all()
    assert 0.35 <= (tall > wide).mean() <= 0.65
    assert cut.any(axis=0).mean() > 0.95


def test_erasing_with_noise() -> None:
    changed = apply(np.zeros((300, 8, 8, 3), np.uint8), {"random_erasing": {"factor": 1.0}})
    noise = changed[changed > 0].astype(float)
    assert abs(noise.mean() - 128) < 5
    assert np.ptp(noise) >= 250


def test_erasing_always_fits() -> None:
    step = {"factor": 1.0, "scale": [1.0, 1.0], "aspect_ratio": [9.0, 9.0], "fill_value": 3}
    changed = apply(pixels((9, 6, 10, 1)), {"random_erasing": step})
    assert (changed.any(axis=(2, 3)) == 1).all()
    assert ((changed == 3).sum(axis=(1, 2, 3)) >= 18).all()
