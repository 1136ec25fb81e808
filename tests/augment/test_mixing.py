"""mixup and cutmix: a label is mixed as the pixels are."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest

from tests.augment.apply import (
    MIXED,
    apply_with_labels,
    pixels,
)
from zoo.augment.mixing import mix_labels
from zoo.recipe import words


@pytest.mark.parametrize("step", MIXED, ids=str)
def test_rows_are_shares(step: Any) -> None:
    labels = np.eye(4, dtype=np.float32)[np.arange(50) % 4]
    labels.flags.writeable = False
    _, rows = apply_with_labels(pixels((50, 6, 7, 3)), labels, step)
    assert (rows.shape, rows.dtype) == ((50, 4), np.float32)
    assert (rows >= 0).all()
    assert np.abs(rows.sum(axis=1) - 1).max() < 1e-6


def test_mixup_mixes_pixels_as_labels() -> None:
    """Image i is one grey level, label i its own class: the row tells the level."""
    levels = np.linspace(0, 255, 60).astype(np.uint8)
    images = levels[:, None, None, None] * np.ones((3, 4, 3), np.uint8)
    mixed, rows = apply_with_labels(images, np.eye(60, dtype=np.float32), {"mixup": 1.0})
    assert (np.ptp(mixed, axis=(1, 2, 3)) == 0).all()
    assert np.abs(rows @ levels - mixed[:, 0, 0, 0]).max() <= 0.501
    assert ((rows > 0).sum(axis=1) <= 2).all()
    # Each image has a share of its own, evenly drawn for alpha 1, and is partner once.
    own = np.diag(rows)[(rows > 0).sum(axis=1) == 2]
    assert len(set(own.tolist())) == len(own) > 50
    assert 0.3 < own.mean() < 0.7


def test_mixup_is_the_weighted_mean_of_floats() -> None:
    """Integers round the weight to 2^-16: at most a grey level beside the formula of the paper."""
    images, labels = pixels((64, 16, 16, 3)), np.eye(64, dtype=np.float32)
    mixed, rows = apply_with_labels(images, labels, {"mixup": 0.6})
    generator = np.random.default_rng(0)
    generator.random(64)
    partners = generator.permutation(64)
    weights = generator.beta(0.6, 0.6, 64)[:, None, None, None]
    means = np.rint(images * weights + images[partners] * (1 - weights))
    assert np.abs(mixed - means).max() <= 1
    assert (mixed != means).mean() < 0.01
    weights = weights[:, 0, 0]
    assert np.abs(rows - (labels * weights + labels[partners] * (1 - weights))).max() <= 2**-17


def test_mixed_labels_stay_exact() -> None:
    """A label of twice 24 bits is rounded once, and equal labels stay 1."""
    labels = np.array([[1, 0], [0, 1], [2**-24, 1 - 2**-24], [0.5, 0.5]], np.float32)
    draws = {
        "partners": np.array([0, 2, 3, 1], np.int32),
        "weights": np.array([12345, 3, 2**24 - 1, 2**23 + 1], np.int32),
    }
    mixed = mix_labels(labels, draws)
    for i, (partner, weight) in enumerate(zip(*(draws[name] for name in draws), strict=True)):
        for j in range(2):
            share = Fraction(int(weight), 2**24)
            exact = Fraction(float(labels[i, j])) * share
            exact += Fraction(float(labels[partner, j])) * (1 - share)
            assert Fraction(float(mixed[i, j])) == Fraction(
                floor(exact * 2**24 + Fraction(1, 2)), 2**24
            )
    assert mixed[0].tolist() == [1, 0]


def test_mixup_of_small_alpha_leaves_one_image_clear() -> None:
    _, rows = apply_with_labels(
        pixels((500, 2, 2, 1)), np.eye(500, dtype=np.float32), {"mixup": 0.05}
    )
    assert (rows.max(axis=1) > 0.9).mean() > 0.75


def test_mixing_one_image() -> None:
    for word in words.MIXING:
        images, rows = apply_with_labels(
            pixels((1, 4, 4, 1)), np.eye(3, dtype=np.float32)[:1], word
        )
        assert np.array_equal(images, pixels((1, 4, 4, 1)))
        assert rows.tolist() == [[1, 0, 0]]


def test_cutmix_label_is_the_area() -> None:
    """Exactly, in units of 2^-24: image i is value i everywhere, so that pixels can be counted."""
    images = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((9, 12, 3), np.uint8)
    mixed, rows = apply_with_labels(images, np.eye(200, dtype=np.float32), "cutmix")
    for i, image in enumerate(mixed[..., 0]):
        pasted = image != i
        assert rows[i, i] == round(2**24 * (1 - pasted.mean())) / 2**24 or not pasted.any()
        assert pasted.sum() == pasted.any(axis=1).sum() * pasted.any(axis=0).sum()
        assert len(np.unique(image[pasted])) <= 1
        if pasted.any():
            assert rows[i, image[pasted][0]] == 1 - rows[i, i]
        assert rows[i].sum() == 1
    areas = (mixed[..., 0] != np.arange(200)[:, None, None]).mean(axis=(1, 2))
    # Half of the image, were no rectangle cut at the edge.
    assert 0.25 < areas.mean() < 0.5
    assert areas.max() > 0.8


@pytest.mark.parametrize("word", words.MIXING)
def test_probability_of_mixing(word: str) -> None:
    step = {word: {"alpha": 5.0, "probability": 0.3}}
    _, rows = apply_with_labels(pixels((600, 8, 8, 1)), np.eye(600, dtype=np.float32), step)
    assert 124 <= (rows.max(axis=1) < 1).sum() <= 236  # 180; five standard deviations are 56.


def test_both_ways_of_mixing_after_one_another() -> None:
    images = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 1), np.uint8)
    mixed, rows = apply_with_labels(images, np.eye(100, dtype=np.float32), "cutmix", {"mixup": 1.0})
    assert np.abs(rows @ np.arange(100) - mixed.mean(axis=(1, 2, 3))).max() <= 0.51
    assert ((rows > 0).sum(axis=1) > 2).any()
