"""Augmentations that overwrite a rectangle of the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Draws, Images, Shape

SHAPE_TRIES = 10  # Draws of an erased rectangle's shape; Zhong et al. draw until one fits.


def draw_cutout(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws the first row and column of each square: int32 (batch,) each, which may be negative."""
    count, height, width, _ = shape
    margin, middle = (options.size - 1, 0) if options.inside else (0, options.size // 2)
    tops = rng.generator.integers(0, max(height - margin, 1), count) - middle
    lefts = rng.generator.integers(0, max(width - margin, 1), count) - middle
    return {"tops": tops.astype(np.int32), "lefts": lefts.astype(np.int32)}


def cutout(images: Images, options: Any, draws: Draws) -> Images:
    """Overwrites a square around a random pixel with one value; the square may cross the edge.

    With `inside` it lies in the image. `value` is a grey level, or a level for each channel (see
    `zoo.augment.with_mean_levels`). Source: DeVries & Taylor 2017.
    """
    images = images.copy()
    corners = zip(draws["tops"].tolist(), draws["lefts"].tolist(), strict=True)
    for i, (top, left) in enumerate(corners):
        bottom, right = top + options.size, left + options.size
        images[i, max(top, 0) : bottom, max(left, 0) : right] = options.value
    return images


def draw_random_erasing(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws which images are changed, their rectangles, and noise if there is no `fill_value`.

    Tall and wide rectangles are equally likely: log(height / width) is uniform. A shape that does
    not fit is drawn again, up to `SHAPE_TRIES` times; then it is cut to the image.

    Returns:
        int32 (batch,) `tops`, `heights`, `lefts` and `widths`, with a height of 0 in images that
        stay as they are; uint8 (batch, height, width, channels) `noise`.
    """
    generator = rng.generator
    count, height, width, _ = shape
    erased = generator.random(count) < options.factor
    (min_area, max_area), (low, high) = options.scale, np.log(options.aspect_ratio)
    areas = height * width * generator.uniform(min_area, max_area, (SHAPE_TRIES, count))
    ratios = np.exp(generator.uniform(low, high, (SHAPE_TRIES, count)))
    sides = np.rint([np.sqrt(areas * ratios), np.sqrt(areas / ratios)]).astype(np.int64)
    fits = (sides[0] <= height) & (sides[1] <= width)
    heights, widths = sides[:, fits.argmax(axis=0), np.arange(count)]
    heights, widths = np.clip(heights, 1, height), np.clip(widths, 1, width)
    rectangles = {
        "tops": generator.integers(0, height - heights + 1),
        "heights": heights * erased,
        "lefts": generator.integers(0, width - widths + 1),
        "widths": widths,
    }
    draws = {name: values.astype(np.int32) for name, values in rectangles.items()}
    if options.fill_value is None:
        draws["noise"] = generator.integers(0, 256, shape, np.uint8)
    return draws


def random_erasing(images: Images, options: Any, draws: Draws) -> Images:
    """Overwrites a rectangle inside of some images with noise or one grey level.

    Source: Zhong et al. 2020.
    """
    pixels = draws["noise"] if options.fill_value is None else np.uint8(options.fill_value)
    return np.where(rectangle_masks(images, draws), pixels, images)


def rectangle_masks(images: Images, draws: Draws) -> np.ndarray:
    """Marks the pixels inside of one rectangle an image.

    Args:
        images: (batch, height, width, channels), for their size.
        draws: int (batch,) `tops`, `heights`, `lefts` and `widths` of the rectangles, which may
            cross the edge.

    Returns:
        bool (batch, height, width, 1).
    """
    rows, columns = np.arange(images.shape[1]), np.arange(images.shape[2])
    names = ("tops", "heights", "lefts", "widths")
    tops, heights, lefts, widths = (draws[name][:, None] for name in names)
    in_rows = (rows >= tops) & (rows < tops + heights)
    in_columns = (columns >= lefts) & (columns < lefts + widths)
    masks: np.ndarray = in_rows[:, :, None, None] & in_columns[:, None, :, None]
    return masks
