"""RandAugment: Pillow operations drawn from a table for each image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from zoo.augment.rng import AugmentRng, Draws, Images, Shape

Picture = Image.Image
FILL_GREY = 128  # Value of pixels that come in from outside of the image.


def _affine(picture: Picture, *matrix: float) -> Picture:
    """Output pixel (x, y) is input pixel (a x + b y + c, d x + e y + f)."""
    return picture.transform(
        picture.size,
        Image.Transform.AFFINE,
        matrix,
        Image.Resampling.BILINEAR,
        fillcolor=_fill(picture),
    )


def _fill(picture: Picture) -> tuple[int, ...]:
    return (FILL_GREY,) * len(picture.getbands())


# The fourteen operations of Cubuk et al. 2020, each with a strength of -1 to 1. The maxima are
# AutoAugment's: 30 degrees, a slope of 0.3, 150 of 331 pixels, 1 +- 0.9. `color` does not change
# grey images.
OPERATIONS: dict[str, Callable[[Picture, float], Picture]] = {
    "identity": lambda picture, strength: picture,
    "auto_contrast": lambda picture, strength: ImageOps.autocontrast(picture),
    "equalize": lambda picture, strength: ImageOps.equalize(picture),
    "rotate": lambda picture, strength: picture.rotate(
        30 * strength, Image.Resampling.BILINEAR, fillcolor=_fill(picture)
    ),
    "solarize": lambda picture, strength: ImageOps.solarize(
        picture, round(256 * (1 - abs(strength)))
    ),
    "color": lambda picture, strength: ImageEnhance.Color(picture).enhance(1 + 0.9 * strength),
    "posterize": lambda picture, strength: ImageOps.posterize(
        picture, 8 - round(4 * abs(strength))
    ),
    "contrast": lambda picture, strength: ImageEnhance.Contrast(picture).enhance(
        1 + 0.9 * strength
    ),
    "brightness": lambda picture, strength: ImageEnhance.Brightness(picture).enhance(
        1 + 0.9 * strength
    ),
    "sharpness": lambda picture, strength: ImageEnhance.Sharpness(picture).enhance(
        1 + 0.9 * strength
    ),
    "shear_x": lambda picture, strength: _affine(
        picture, 1, 0.3 * strength, -0.15 * strength * picture.height, 0, 1, 0
    ),
    "shear_y": lambda picture, strength: _affine(
        picture, 1, 0, 0, 0.3 * strength, 1, -0.15 * strength * picture.width
    ),
    "translate_x": lambda picture, strength: _affine(
        picture, 1, 0, 150 / 331 * strength * picture.width, 0, 1, 0
    ),
    "translate_y": lambda picture, strength: _affine(
        picture, 1, 0, 0, 0, 1, 150 / 331 * strength * picture.height
    ),
}


def draw_rand_augment(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's operations and the signs of their strengths.

    Returns:
        int32 (batch, num_ops) `operations`, indices into `OPERATIONS`, and `signs`, -1 or 1.
    """
    size = (shape[0], options.num_ops)
    operations = rng.generator.integers(0, len(OPERATIONS), size)
    signs = rng.generator.choice((-1, 1), size)
    return {"operations": operations.astype(np.int32), "signs": signs.astype(np.int32)}


def rand_augment(images: Images, options: Any, draws: Draws) -> Images:
    """Applies `options.num_ops` operations to each image, drawn from `OPERATIONS` with signs.

    Keras's RandAugment draws its operations once a batch and computes all of them for every image
    (`layer_idxes` in its rand_augment.py); Pillow's run in uint8. Source: Cubuk et al. 2020.
    """
    channels = images.shape[-1]
    operations = list(OPERATIONS.values())
    drawn, signs = draws["operations"].tolist(), draws["signs"].tolist()
    results = np.empty_like(images)
    for i in range(len(images)):
        picture = Image.fromarray(images[i, ..., 0] if channels == 1 else images[i])
        for index, sign in zip(drawn[i], signs[i], strict=True):
            picture = operations[index](picture, sign * options.factor)
        results[i] = np.asarray(picture).reshape(images.shape[1:])
    return results
