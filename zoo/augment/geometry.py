"""Augmentations that move pixels: flips and crops."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo import seeds
from zoo.augment.rng import AugmentRng, Draws, Images, Shape

# Mode of random_flip -> the axes that are drawn, in their order.
FLIPPED_AXES = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (2, 1)}


def draw_random_flip(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws, for each axis of `options.mode`, which images are mirrored along it.

    Returns:
        bool (batch,) under `axis_1` (upside down), `axis_2` (left to right) or both.
    """
    axes = FLIPPED_AXES[options.mode]
    return {f"axis_{axis}": rng.generator.random(shape[0]) < 0.5 for axis in axes}


def random_flip(images: Images, options: Any, draws: Draws) -> Images:
    """Mirrors each image along each axis of `options.mode` with probability 1/2."""
    images = images.copy()
    for axis in FLIPPED_AXES[options.mode]:
        flipped = draws[f"axis_{axis}"]
        images[flipped] = np.flip(images[flipped], axis)
    return images


def draw_alternating_flip(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Chooses the images that are mirrored: bool (batch,) under `flipped`."""
    return {"flipped": (_random_bits(rng.seed, rng.indices) + rng.epoch) % 2 == 1}


def alternating_flip(images: Images, options: Any, draws: Draws) -> Images:
    """Mirrors one half of the images in even epochs and the other half in odd epochs.

    A hash of seed and index chooses the halves, so any two consecutive epochs show an image from
    both sides; independent draws show the same side twice half of the time.
    Source: Jordan 2024 (airbench).
    """
    flipped = draws["flipped"]
    images = images.copy()
    images[flipped] = images[flipped, :, ::-1]
    return images


def _random_bits(seed: int, indices: np.ndarray) -> np.ndarray:
    """Hashes each index to a fair bit, with the finalizer of SplitMix64.

    Source: Steele, Lea & Flood 2014.
    """
    key = seeds.derive(seed, "alternating_flip", bits=64)
    hashes = (indices.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    hashes ^= np.uint64(key)
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (hashes >> np.uint64(63)).astype(np.int64)


def draw_random_crop(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each crop's first row and column in the padded image: int32 (batch,) each."""
    places = rng.generator.integers(0, 2 * options.padding + 1, (2, shape[0]))
    tops, lefts = places.astype(np.int32)
    return {"tops": tops, "lefts": lefts}


def random_crop(images: Images, options: Any, draws: Draws) -> Images:
    """Pads every side by `options.padding`, then crops to the old size at a random place."""
    _, height, width, _ = images.shape
    pad = options.padding
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=options.fill)
    crops = np.empty_like(images)
    corners = zip(draws["tops"].tolist(), draws["lefts"].tolist(), strict=True)
    for i, (top, left) in enumerate(corners):
        crops[i] = padded[i, top : top + height, left : left + width]
    return crops
