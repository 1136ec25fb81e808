"""TrivialAugment: one operation an image, of a random strength."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from zoo.augment.rand_augment import OPERATIONS, Picture
from zoo.augment.rng import AugmentRng, Draws, Images, Shape
from zoo.augment.warp import about_the_middle, as_draws, warp

MAX_LEVEL = 30  # Strengths are levels from 0 to 30, each as likely.
MAX_BLEND = 0.99
MAX_DEGREES = 135
MAX_SLOPE = 0.99
MAX_MOVE = 32  # Pixels, or the image's side if that is less.


def solarize_threshold(level: int) -> int:
    """Values from here on are inverted: at least 255 times the rest of the strength."""
    return math.ceil(255 * (MAX_LEVEL - abs(level)) / MAX_LEVEL)


def posterize_bits(level: int) -> int:
    """Number of bits of a value that are kept: 8 to 2."""
    return 8 - round(6 * abs(level) / MAX_LEVEL)


def blend_factor(level: int) -> float:
    """The factor of Pillow's ImageEnhance: 1 keeps the picture, 0 removes color, contrast, ..."""
    return 1 + MAX_BLEND * level / MAX_LEVEL


def _enhance(kind: Any) -> Callable[[Picture, int], Picture]:
    return lambda picture, level: kind(picture).enhance(blend_factor(level))


# Operations that change values, with a signed level, with the maxima of the paper's "wide" space.
OF_VALUES: dict[str, Callable[[Picture, int], Picture]] = {
    **{
        word: lambda picture, level, word=word: OPERATIONS[word](picture, 1.0)  # type: ignore[misc]
        for word in ("identity", "auto_contrast", "equalize")
    },
    "solarize": lambda picture, level: ImageOps.solarize(picture, solarize_threshold(level)),
    "posterize": lambda picture, level: ImageOps.posterize(picture, posterize_bits(level)),
    "color": _enhance(ImageEnhance.Color),
    "contrast": _enhance(ImageEnhance.Contrast),
    "brightness": _enhance(ImageEnhance.Brightness),
    "sharpness": _enhance(ImageEnhance.Sharpness),
}
OF_PLACES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


class Filling(NamedTuple):
    """How operations that move pixels read between pixels and fill what comes in."""

    interpolation: Literal["bilinear", "nearest"]
    fill_value: int
    fill_mode: Literal["constant"] = "constant"


def filling(options: Any) -> Filling:
    """Returns the options of zoo/augment/warp.py for those of a recipe."""
    return Filling(options.interpolation, options.fill_value)


def draw_trivial_augment(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's operation, and its strength with a sign.

    Returns:
        int32 (batch,) `operations`, indices into `OPERATIONS` of zoo/augment/rand_augment.py, and
        `levels`, -30 to 30; (batch, 6) `matrices` of zoo/augment/warp.py.
    """
    count = shape[0]
    operations = rng.generator.integers(0, len(OPERATIONS), count).astype(np.int32)
    levels = rng.generator.integers(0, MAX_LEVEL + 1, count)
    levels *= rng.generator.choice((-1, 1), count)
    matrices = matrices_of(operations, levels / MAX_LEVEL, shape)
    return {
        "operations": operations,
        "levels": levels.astype(np.int32),
        **as_draws(matrices, shape),
    }


def matrices_of(operations: np.ndarray, strengths: np.ndarray, shape: Shape) -> np.ndarray:
    """Returns each image's map, which changes nothing for operations on values."""
    _, height, width, _ = shape
    words = np.array(list(OPERATIONS))[operations]
    one, none = np.ones(len(strengths)), np.zeros(len(strengths))
    angle = np.where(words == "rotate", math.radians(MAX_DEGREES) * strengths, 0)
    cos, sin = np.cos(angle), np.sin(angle)
    rotations = about_the_middle(np.stack([cos, -sin, none, sin, cos, none], axis=1), shape)
    across = np.where(words == "shear_x", MAX_SLOPE * strengths, 0)
    down = np.where(words == "shear_y", MAX_SLOPE * strengths, 0)
    right = np.where(words == "translate_x", np.trunc(min(MAX_MOVE, width) * strengths), 0)
    below = np.where(words == "translate_y", np.trunc(min(MAX_MOVE, height) * strengths), 0)
    # Slanted about the image's corner, half a pixel before the middle of its first pixel.
    others = np.stack([one, across, right + across / 2, down, one, below + down / 2], axis=1)
    matrices: np.ndarray = np.where((words == "rotate")[:, None], rotations, others)
    return matrices


def trivial_augment(images: Images, options: Any, draws: Draws) -> Images:
    """Applies one operation of RandAugment's fourteen to each image, with its own strength.

    Operations on values are Pillow's but for `auto_contrast`, so that the device gives equal bits;
    the others are computed by zoo/augment/warp.py. Strengths are those of torchvision's
    TrivialAugmentWide. Source: Mueller & Hutter 2021.
    """
    channels = images.shape[-1]
    words = np.array(list(OPERATIONS))[draws["operations"]]
    moved = np.isin(words, OF_PLACES)
    results = np.empty_like(images)
    results[moved] = warp(images[moved], filling(options), {"matrices": draws["matrices"][moved]})
    for i in np.flatnonzero(~moved):
        picture = Image.fromarray(images[i, ..., 0] if channels == 1 else images[i])
        changed = OF_VALUES[words[i]](picture, int(draws["levels"][i]))
        results[i] = np.asarray(changed).reshape(images.shape[1:])
    return results
