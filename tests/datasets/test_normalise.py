"""Normalisation against numpy, however the images are kept and chunked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets import splits
from zoo.datasets.content import pixel_statistics
from zoo.datasets.normalise import KINDS, Normalisation, normalisation
from zoo.datasets.splits import ArraySplit

PIXELS = np.random.default_rng(0).integers(0, 256, (57, 5, 4, 3), dtype=np.uint8)


SPLIT = ArraySplit(PIXELS, np.zeros(57, np.int32))


def applied(values: Normalisation, pixels: np.ndarray) -> np.ndarray:
    return pixels * np.array(values.scale) + np.array(values.offset)


def test_against_numpy() -> None:
    x = PIXELS.astype(np.float64)
    mean, std = x.mean(axis=(0, 1, 2)), x.std(axis=(0, 1, 2))
    expected = {
        "none": x,
        "scale01": x / 255,
        "scale11": x / 127.5 - 1,
        "mean_image": x - x.mean(axis=0),
        "channel_mean": x - mean,
        "channel_meanstd": (x - mean) / std,
        "global_mean": x - x.mean(),
        "global_meanstd": (x - x.mean()) / x.std(),
        "samplewise_mean": x,  # The layer takes each image's own statistics.
        "samplewise_meanstd": x,
    }
    assert set(expected) == set(KINDS)
    for kind, answer in expected.items():
        np.testing.assert_allclose(
            applied(normalisation(kind, SPLIT), PIXELS), answer, rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("kind", KINDS)
def test_json_gives_the_same_back(kind: str) -> None:
    values = normalisation(kind, SPLIT)
    assert Normalisation.from_json(json.loads(json.dumps(values.as_json()))) == values


@given(st.integers(1, 4000))
def test_chunks_do_not_matter(chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "CHUNK_BYTES", chunk)
        patch.setattr(pixel_statistics, "SLICE_BYTES", chunk // 2)
        measured = splits.pixel_statistics(SPLIT)
    known = replace(SPLIT, statistics=measured)
    for kind in KINDS:
        assert normalisation(kind, known) == normalisation(kind, SPLIT)


def test_a_constant_channel_becomes_zero() -> None:
    flat = ArraySplit(np.full((4, 2, 2, 1), 9, np.uint8), np.zeros(4, np.int32))
    result = applied(normalisation("channel_meanstd", flat), flat.pixels)
    assert np.abs(result).max() < 1e-6


def test_no_images() -> None:
    with pytest.raises(ValueError, match="empty"):
        normalisation("channel_mean", ArraySplit(PIXELS[:0], np.zeros(0, np.int32)))
