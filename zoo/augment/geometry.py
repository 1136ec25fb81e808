"""Augmentations that move pixels or write over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo import seeds
from zoo.augment.rng import AugmentRng, Images, per_image

TRIES = 10  # Of the shape of an erased rectangle; Zhong et al. try until one fits.


def random_flip(images: Images, options: Any, draw: AugmentRng) -> Images:
    """Mirrors each image along each of the axes with probability 1/2."""
    axes = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (2, 1)}[options.mode]
    images = images.copy()
    for axis in axes:
        chosen = draw.rng.random(len(images)) < 0.5
        images[chosen] = np.flip(images[chosen], axis)
    return images


def alternating_flip(images: Images, options: Any, draw: AugmentRng) -> Images:
    """Mirrors half of the images, the same ones in every second epoch, and the others between.

    Which half is a hash of seed and index: an image is seen from both sides in any two epochs,
    where a fair draw shows one side twice half of the time. Source: Jordan 2024 (airbench).
    """
    chosen = (_bits(draw.seed, draw.indices) + draw.epoch) % 2 == 1
    images = images.copy()
    images[chosen] = images[chosen, :, ::-1]
    return images


def _bits(seed: int, indices: np.ndarray) -> np.ndarray:
    """A fair bit for each index: the last step of SplitMix64 (Steele, Lea & Flood 2014)."""
    key = seeds.derive(seed, "alternating_flip", bits=64)
    mixed = (indices.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed >> np.uint64(63)).astype(np.int64)


def random_crop(images: Images, options: Any, draw: AugmentRng) -> Images:
    """Pads every side, then cuts the old size out, at a place drawn for each image."""
    count, height, width, _ = images.shape
    pad = options.padding
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=options.fill)
    tops, lefts = draw.rng.integers(0, 2 * pad + 1, (2, count))
    cut = np.empty_like(images)
    for i, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        cut[i] = padded[i, top : top + height, left : left + width]
    return cut


def cutout(images: Images, options: Any, draw: AugmentRng) -> Images:
    """Writes a square of one value around a pixel drawn for each image; it may reach over the edge.

    Source: DeVries & Taylor 2017.
    """
    count, height, width, _ = images.shape
    images = images.copy()
    rows = draw.rng.integers(0, height, count) - options.size // 2
    columns = draw.rng.integers(0, width, count) - options.size // 2
    for i, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        bottom, right = row + options.size, column + options.size
        images[i, max(row, 0) : bottom, max(column, 0) : right] = options.value
    return images


def random_erasing(images: Images, options: Any, draw: AugmentRng) -> Images:
    """Writes noise or one grey level over a rectangle inside of some images.

    Tall and wide rectangles are as likely: the logarithm of height over width is drawn evenly.
    A shape that does not fit is drawn again, at last cut to the image.
    Source: Zhong et al. 2020.
    """
    count, height, width, _ = images.shape
    chosen = draw.rng.random(count) < options.factor
    (small, large), (low, high) = options.scale, np.log(options.aspect_ratio)
    areas = height * width * draw.rng.uniform(small, large, (TRIES, count))
    ratios = np.exp(draw.rng.uniform(low, high, (TRIES, count)))
    sides = np.rint([np.sqrt(areas * ratios), np.sqrt(areas / ratios)]).astype(np.int64)
    fits = (sides[0] <= height) & (sides[1] <= width)
    tall, wide = sides[:, fits.argmax(axis=0), np.arange(count)]
    tall, wide = np.clip(tall, 1, height), np.clip(wide, 1, width)
    tops = draw.rng.integers(0, height - tall + 1)
    lefts = draw.rng.integers(0, width - wide + 1)
    inside = boxes(images, tops, tall, lefts, wide) & per_image(chosen)
    if options.fill_value is not None:
        return np.where(inside, np.uint8(options.fill_value), images)
    return np.where(inside, draw.rng.integers(0, 256, images.shape, np.uint8), images)


def boxes(
    images: Images, tops: np.ndarray, tall: np.ndarray, lefts: np.ndarray, wide: np.ndarray
) -> np.ndarray:
    """bool (batch, height, width, 1): the pixels in each image's rectangle, cut at the edges."""
    rows, columns = np.arange(images.shape[1]), np.arange(images.shape[2])
    tops, tall, lefts, wide = (each[:, None] for each in (tops, tall, lefts, wide))
    down = (rows >= tops) & (rows < tops + tall)
    across = (columns >= lefts) & (columns < lefts + wide)
    return down[:, :, None, None] & across[:, None, :, None]
