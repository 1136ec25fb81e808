"""RandAugment: operations on pictures, drawn from a table for each image."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from zoo.augment import affine
from zoo.augment.rng import AugmentRng, Draws, Images, Shape

Picture = Image.Image


def _auto_contrast(picture: Picture, strength: float) -> Picture:
    """Stretches the values of each channel to 0..255, rounded down.

    Pillow's autocontrast computes in floats: of the (darkest, brightest, value) that there are,
    4 in 1,000 end one grey level lower, often the brightest value of a picture at 254.
    """
    lowest, highest = np.array([band.getextrema() for band in picture.split()]).T
    values = np.asarray(picture, np.int32)
    stretched = 255 * (values - lowest) // np.maximum(highest - lowest, 1)
    return Image.fromarray(np.where(highest > lowest, stretched, values).astype(np.uint8))


def _resample(picture: Picture, strength: float, word: str) -> Picture:
    image = np.asarray(picture).reshape(picture.height, picture.width, -1)
    resampled = affine.resample(image, word, strength)
    return Image.fromarray(resampled[..., 0] if picture.mode == "L" else resampled)


def solarize_threshold(strength: float) -> int:
    """Values from here on are inverted."""
    return round(256 * (1 - abs(strength)))


def posterize_bits(strength: float) -> int:
    """Number of bits of a value that are kept."""
    return 8 - round(4 * abs(strength))


def blend_factor(strength: float) -> float:
    """The factor of Pillow's ImageEnhance: 1 keeps the picture, 0 removes color, contrast, ..."""
    return 1 + 0.9 * strength


# The fourteen operations of Cubuk et al. 2020, each with a strength of -1 to 1. The maxima are
# AutoAugment's: 1 +- 0.9, and those of `affine.MATRICES`. `color` does not change grey images.
OPERATIONS: dict[str, Callable[[Picture, float], Picture]] = {
    "identity": lambda picture, strength: picture,
    "auto_contrast": _auto_contrast,
    "equalize": lambda picture, strength: ImageOps.equalize(picture),
    "rotate": partial(_resample, word="rotate"),
    "solarize": lambda picture, strength: ImageOps.solarize(picture, solarize_threshold(strength)),
    "color": lambda picture, strength: ImageEnhance.Color(picture).enhance(blend_factor(strength)),
    "posterize": lambda picture, strength: ImageOps.posterize(picture, posterize_bits(strength)),
    "contrast": lambda picture, strength: ImageEnhance.Contrast(picture).enhance(
        blend_factor(strength)
    ),
    "brightness": lambda picture, strength: ImageEnhance.Brightness(picture).enhance(
        blend_factor(strength)
    ),
    "sharpness": lambda picture, strength: ImageEnhance.Sharpness(picture).enhance(
        blend_factor(strength)
    ),
    **{
        word: partial(_resample, word=word)
        for word in ("shear_x", "shear_y", "translate_x", "translate_y")
    },
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
    (`layer_idxes` in its rand_augment.py). Here `auto_contrast` and the operations of
    zoo/augment/affine.py compute in integers, so that the device gives equal bits; the others are
    Pillow's. Source: Cubuk et al. 2020.
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
