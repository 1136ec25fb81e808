"""RandAugment: operations of Pillow, drawn from a table for each image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from zoo.augment.rng import AugmentRng, Images

Picture = Image.Image
GREY = 128  # What comes in from outside of the image.


def _moved(picture: Picture, *matrix: float) -> Picture:
    """Output pixel (x, y) is input pixel (a x + b y + c, d x + e y + f)."""
    return picture.transform(
        picture.size,
        Image.Transform.AFFINE,
        matrix,
        Image.Resampling.BILINEAR,
        fillcolor=_grey(picture),
    )


def _grey(picture: Picture) -> tuple[int, ...]:
    return (GREY,) * len(picture.getbands())


# The fourteen of Cubuk et al., each from a strength of -1 to 1, with AutoAugment's largest values:
# 30 degrees, a slope of 0.3, 150 of 331 pixels, 1 +- 0.9. Colour leaves grey images as they are.
OPERATIONS: dict[str, Callable[[Picture, float], Picture]] = {
    "identity": lambda picture, by: picture,
    "auto_contrast": lambda picture, by: ImageOps.autocontrast(picture),
    "equalize": lambda picture, by: ImageOps.equalize(picture),
    "rotate": lambda picture, by: picture.rotate(
        30 * by, Image.Resampling.BILINEAR, fillcolor=_grey(picture)
    ),
    "solarize": lambda picture, by: ImageOps.solarize(picture, round(256 * (1 - abs(by)))),
    "color": lambda picture, by: ImageEnhance.Color(picture).enhance(1 + 0.9 * by),
    "posterize": lambda picture, by: ImageOps.posterize(picture, 8 - round(4 * abs(by))),
    "contrast": lambda picture, by: ImageEnhance.Contrast(picture).enhance(1 + 0.9 * by),
    "brightness": lambda picture, by: ImageEnhance.Brightness(picture).enhance(1 + 0.9 * by),
    "sharpness": lambda picture, by: ImageEnhance.Sharpness(picture).enhance(1 + 0.9 * by),
    "shear_x": lambda picture, by: _moved(
        picture, 1, 0.3 * by, -0.15 * by * picture.height, 0, 1, 0
    ),
    "shear_y": lambda picture, by: _moved(
        picture, 1, 0, 0, 0.3 * by, 1, -0.15 * by * picture.width
    ),
    "translate_x": lambda picture, by: _moved(
        picture, 1, 0, 150 / 331 * by * picture.width, 0, 1, 0
    ),
    "translate_y": lambda picture, by: _moved(
        picture, 1, 0, 0, 0, 1, 150 / 331 * by * picture.height
    ),
}


def rand_augment(images: Images, options: Any, draw: AugmentRng) -> Images:
    """Some operations of fourteen, one after another, drawn for each image, with drawn signs.

    Keras's RandAugment draws its operations once a batch, and works all of them out for every
    image to keep one (`layer_idxes` in its rand_augment.py); Pillow's are whole at 8 bits.
    Source: Cubuk et al. 2020.
    """
    count, *_, channels = images.shape
    table = list(OPERATIONS.values())
    chosen = draw.rng.integers(0, len(table), (count, options.num_ops)).tolist()
    signs = draw.rng.choice((-options.factor, options.factor), (count, options.num_ops)).tolist()
    out = np.empty_like(images)
    for i in range(count):
        picture = Image.fromarray(images[i, ..., 0] if channels == 1 else images[i])
        for index, by in zip(chosen[i], signs[i], strict=True):
            picture = table[index](picture, by)
        out[i] = np.asarray(picture).reshape(images.shape[1:])
    return out
