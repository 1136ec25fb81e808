"""Ranges of training images: quantiles by hand, and which images lie outside."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo.datasets.content import image_ranges
from zoo.datasets.content.image_ranges import ImageRanges, histograms, measure, of_histograms
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.splits import ArraySplit, Subset, ranges_of

RNG = np.random.default_rng(3)
IMAGES = RNG.integers(0, 256, (300, 5, 4, 3), dtype=np.uint8)
GREY = ImageRanges(1000, mean=(10.0, 70.0), std=(40.0, 100.0))


@pytest.mark.parametrize("channels", [1, 3])
def test_measures(channels: int) -> None:
    images = IMAGES[..., :channels]
    rows = images.astype(np.float64)
    expected = [rows.mean(axis=(1, 2, 3)), rows.std(axis=(1, 2, 3))]
    if channels == 3:
        expected.append((rows[..., 0] - rows[..., 2]).mean(axis=(1, 2)))
    np.testing.assert_allclose(measure(images), np.stack(expected, axis=1), rtol=1e-9)


def test_quantiles_to_a_quarter_of_a_level() -> None:
    images = RNG.integers(0, 256, (4000, 1, 1, 1), dtype=np.uint8)
    ranges = of_histograms(histograms(measure(images)))
    assert ranges.images == 4000
    low, high = np.quantile(images, [0.001, 0.999], method="inverted_cdf")
    assert ranges.mean == (low, high + image_ranges.BIN)
    assert ranges.std == (0, image_ranges.BIN)
    assert ranges.red_minus_blue is None


def test_statistics_count_the_same_images_in_any_chunks() -> None:
    whole = PixelStatistics.of(IMAGES)
    parts = PixelStatistics.of(IMAGES[:7]) + PixelStatistics.of(IMAGES[7:])
    assert (whole.histograms == parts.histograms).all()
    split = ArraySplit(IMAGES, np.zeros(300, np.int32))
    assert ranges_of(split) == of_histograms(whole.histograms)
    assert ranges_of(replace(split, statistics=whole)) == ranges_of(split)


def test_a_sample_of_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.datasets.splits.SAMPLE", 100)
    split = ArraySplit(IMAGES, np.zeros(300, np.int32))
    assert ranges_of(split) == ranges_of(Subset(split, np.arange(0, 300, 3)))


def test_json_gives_the_same_back() -> None:
    for ranges in (GREY, ranges_of(ArraySplit(IMAGES, np.zeros(300, np.int32)))):
        assert ImageRanges.from_json(json.loads(json.dumps(ranges.as_json()))) == ranges


def test_outside_by_a_margin() -> None:
    """A tenth of the range, and more where few images showed it."""
    assert not GREY.is_outside("mean", 76.5)  # 70 + 0.11 * 60 = 76.6.
    assert GREY.is_outside("mean", 76.7)
    assert not GREY.is_outside("mean", 3.5)
    assert GREY.is_outside("mean", 3.3)
    assert not replace(GREY, images=100).is_outside("mean", 81.9)  # 70 + 0.2 * 60 = 82.
    assert replace(GREY, images=100).is_outside("mean", 82.1)
    assert not GREY.is_outside("red_minus_blue", 200)  # Grey images have no hue.
    equal = replace(GREY, mean=(50.0, 50.25))
    assert not equal.is_outside("mean", 45.5)
    assert equal.is_outside("mean", 44.9)


def test_few_training_images_tell_nothing() -> None:
    white = np.full((3, 3, 1), 255, np.uint8)
    assert GREY.outside(white) == {"mean": 255.0, "std": 0.0}
    assert replace(GREY, images=49).outside(white) == {}
