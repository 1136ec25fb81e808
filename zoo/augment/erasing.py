"""Augmentations that overwrite a rectangle of the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Images, per_image

SHAPE_TRIES = 10  # Draws of an erased rectangle's shape; Zhong et al. draw until one fits.


def cutout(images: Images, options: Any, rng: AugmentRng) -> Images:
    """Overwrites a square around a random pixel with one value; the square may cross the edge.

    Source: DeVries & Taylor 2017.
    """
    count, height, width, _ = images.shape
    images = images.copy()
    rows = rng.generator.integers(0, height, count) - options.size // 2
    columns = rng.generator.integers(0, width, count) - options.size // 2
    for i, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        bottom, right = row + options.size, column + options.size
        images[i, max(row, 0) : bottom, max(column, 0) : right] = options.value
    return images


def random_erasing(images: Images, options: Any, rng: AugmentRng) -> Images:
    """Overwrites a rectangle inside of some images with noise or one grey level.

    Tall and wide rectangles are equally likely: log(height / width) is uniform. A shape that does
    not fit is drawn again, up to `SHAPE_TRIES` times; then it is cut to the image.
    Source: Zhong et al. 2020.
    """
    generator = rng.generator
    count, height, width, _ = images.shape
    erased = generator.random(count) < options.factor
    (min_area, max_area), (low, high) = options.scale, np.log(options.aspect_ratio)
    areas = height * width * generator.uniform(min_area, max_area, (SHAPE_TRIES, count))
    ratios = np.exp(generator.uniform(low, high, (SHAPE_TRIES, count)))
    sides = np.rint([np.sqrt(areas * ratios), np.sqrt(areas / ratios)]).astype(np.int64)
    fits = (sides[0] <= height) & (sides[1] <= width)
    heights, widths = sides[:, fits.argmax(axis=0), np.arange(count)]
    heights, widths = np.clip(heights, 1, height), np.clip(widths, 1, width)
    tops = generator.integers(0, height - heights + 1)
    lefts = generator.integers(0, width - widths + 1)
    mask = rectangle_masks(images, tops, heights, lefts, widths) & per_image(erased)
    if options.fill_value is not None:
        return np.where(mask, np.uint8(options.fill_value), images)
    return np.where(mask, generator.integers(0, 256, images.shape, np.uint8), images)


def rectangle_masks(
    images: Images, tops: np.ndarray, heights: np.ndarray, lefts: np.ndarray, widths: np.ndarray
) -> np.ndarray:
    """Marks the pixels inside of one rectangle an image.

    Args:
        images: (batch, height, width, channels), for their size.
        tops: int (batch,), first row of each rectangle; may be negative.
        heights: int (batch,).
        lefts: int (batch,), first column of each rectangle; may be negative.
        widths: int (batch,).

    Returns:
        bool (batch, height, width, 1).
    """
    rows, columns = np.arange(images.shape[1]), np.arange(images.shape[2])
    tops, heights, lefts, widths = (side[:, None] for side in (tops, heights, lefts, widths))
    in_rows = (rows >= tops) & (rows < tops + heights)
    in_columns = (columns >= lefts) & (columns < lefts + widths)
    masks: np.ndarray = in_rows[:, :, None, None] & in_columns[:, None, :, None]
    return masks
