"""Augmentations that rotate, zoom, move, shear or crop images, with zoo/augment/warp.py.

Factors mean what they mean in Keras's layers of the same names, and a number f is the range from -f
to f as there. Keras's RandomShear shears about the image's first pixel, and so does this.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.rng import AugmentRng, Draws, Shape, uniform
from zoo.augment.warp import about_the_middle, as_draws

CROP_TRIES = 10  # Draws of a crop's shape, as in torchvision.


def draw_random_rotation(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's angle, counterclockwise, and makes its map about the image's middle."""
    angle = 2 * np.pi * uniform(rng, options.factor, shape[0])
    cos, sin, none = np.cos(angle), np.sin(angle), np.zeros(shape[0])
    return as_draws(about_the_middle(np.stack([cos, -sin, none, sin, cos, none], 1), shape), shape)


def draw_random_zoom(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's height and width over its old ones, less 1, and makes its map."""
    vertical = horizontal = 1 + uniform(rng, options.height_factor, shape[0])
    if options.width_factor is not None:
        horizontal = 1 + uniform(rng, options.width_factor, shape[0])
    none = np.zeros(shape[0])
    matrices = np.stack([horizontal, none, none, none, vertical, none], axis=1)
    return as_draws(about_the_middle(matrices, shape), shape)


def draw_random_translation(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws by how much of its height and width each image moves, down and right."""
    count, height, width, _ = shape
    down = uniform(rng, options.height_factor, count) * height
    right = uniform(rng, options.width_factor, count) * width
    one, none = np.ones(count), np.zeros(count)
    return as_draws(np.stack([one, none, -right, none, one, -down], axis=1), shape)


def draw_random_shear(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's slopes; both are negative in half of the images."""
    count = shape[0]
    sign = rng.generator.choice((-1.0, 1.0), count)
    across = sign * uniform(rng, options.x_factor, count)
    down = sign * uniform(rng, options.y_factor, count)
    one, none = np.ones(count), np.zeros(count)
    return as_draws(np.stack([one, across, none, down, one, none], axis=1), shape)


def draw_random_resized_crop(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's crop, and makes the map that enlarges it to the image's size.

    The area is uniform, and so is log(width / height). A shape that does not fit is drawn again,
    up to `CROP_TRIES` times; then it is the largest in the middle whose ratio is allowed. Source:
    Szegedy et al. 2015, as in torchvision's RandomResizedCrop.

    Returns:
        int32 (batch, 6) `matrices`, and (batch, 4) `windows`: first row, last row, first column,
        last column.
    """
    generator = rng.generator
    count, height, width, _ = shape
    low, high = options.ratio
    smallest, largest = options.scale
    areas = height * width * generator.uniform(smallest, largest, (CROP_TRIES, count))
    ratios = np.exp(generator.uniform(np.log(low), np.log(high), (CROP_TRIES, count)))
    sides = np.rint([np.sqrt(areas / ratios), np.sqrt(areas * ratios)]).astype(np.int64)
    fits = ((sides > 0) & (sides <= np.array([height, width])[:, None, None])).all(axis=0)
    heights, widths = sides[:, fits.argmax(axis=0), np.arange(count)]
    tops = generator.integers(0, np.maximum(height - heights, 0) + 1)
    lefts = generator.integers(0, np.maximum(width - widths, 0) + 1)
    none = ~fits.any(axis=0)
    largest_height = max(1, min(height, round(width / low)))
    largest_width = max(1, min(width, round(height * high)))
    heights[none], widths[none] = largest_height, largest_width
    tops[none], lefts[none] = (height - largest_height) // 2, (width - largest_width) // 2
    across, down, zero = widths / width, heights / height, np.zeros(count)
    matrices = np.stack(
        [across, zero, lefts + (across - 1) / 2, zero, down, tops + (down - 1) / 2], axis=1
    )
    windows = np.stack([tops, tops + heights - 1, lefts, lefts + widths - 1], axis=1)
    return {**as_draws(matrices, shape), "windows": windows.astype(np.int32)}
