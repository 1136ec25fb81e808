"""Augmentations that mix each image, and its label, with another image of the batch.

Labels are float32 (batch, classes), one distribution over the classes an image. Each image draws
its own mixing weight (the papers draw one a batch); an image whose partner is itself stays as it
is.

Weights and labels are whole multiples of 2^-24, which float32 holds exactly up to 1. So mixing is
arithmetic of integers, and its results do not depend on whether a compiler fuses a product and a
sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.erasing import rectangle_masks
from zoo.augment.rng import AugmentRng, Draws, Images, Shape, per_image

ONE_BITS = 24
ONE = 1 << ONE_BITS  # The weight 1 in `weights`, and the label 1 in `mix_labels`.

# Weights of pixels have 16 bits, so that 255 times a weight is exact in float32.
PIXEL_BITS = 16
PIXEL_ONE = 1 << PIXEL_BITS


def draw_mixup(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's partner in the batch and its own weight: 1 where it is not mixed.

    Returns:
        int32 (batch,) `partners`, and `weights` in units of 2^-24, multiples of 2^-16.
    """
    partners, weights = _draw_partners(shape[0], options, rng)
    rounded = np.rint(weights * np.float32(PIXEL_ONE)).astype(np.int32)
    return {"partners": partners, "weights": rounded << (ONE_BITS - PIXEL_BITS)}


def mixup(images: Images, options: Any, draws: Draws) -> Images:
    """Averages image and partner with weights w and 1 - w; `mix_labels` does it to their labels.

    Pixels are rounded, halves up. Source: Zhang et al. 2018.
    """
    weights = draws["weights"] >> (ONE_BITS - PIXEL_BITS)
    # Exact: no number is above 2^24.
    mixed = images * per_image(weights.astype(np.float32))
    mixed += images[draws["partners"]] * per_image((PIXEL_ONE - weights).astype(np.float32))
    mixed += PIXEL_ONE // 2
    mixed *= 1 / PIXEL_ONE
    whole: np.ndarray = mixed.astype(np.uint8)
    return whole


def draw_cutmix(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's partner and the rectangle that is pasted.

    The rectangle has the image's proportions. Its centre is anywhere, so it may be cut by an edge.

    Returns:
        int32 (batch,) `partners`; `tops`, `heights`, `lefts` and `widths`; and `weights`, the
        fraction of pixels that an image keeps, in units of 2^-24. Tops and lefts may be negative.
    """
    count, height, width, _ = shape
    partners, weights = _draw_partners(count, options, rng)
    side = np.sqrt(1 - weights)
    heights, widths = (height * side).astype(np.int64), (width * side).astype(np.int64)
    tops = rng.generator.integers(0, height, count) - heights // 2
    lefts = rng.generator.integers(0, width, count) - widths // 2
    rows = np.clip(tops + heights, 0, height) - np.clip(tops, 0, height)
    columns = np.clip(lefts + widths, 0, width) - np.clip(lefts, 0, width)
    rectangles = {"tops": tops, "heights": heights, "lefts": lefts, "widths": widths}
    return {
        "partners": partners,
        "weights": np.rint(ONE * (1 - rows * columns / (height * width))).astype(np.int32),
        **{name: values.astype(np.int32) for name, values in rectangles.items()},
    }


def cutmix(images: Images, options: Any, draws: Draws) -> Images:
    """Pastes a rectangle of the partner; a label's weight is the fraction of pixels it keeps.

    Source: Yun et al. 2019.
    """
    return np.where(rectangle_masks(images, draws), images[draws["partners"]], images)


def _draw_partners(count: int, options: Any, rng: AugmentRng) -> tuple[np.ndarray, np.ndarray]:
    """Draws each image's partner in the batch and its own weight: 1 where it is not mixed.

    Returns:
        Partners, int32 (count,), and weights, float32 (count,).
    """
    is_mixed = rng.generator.random(count) < options.probability
    partners = rng.generator.permutation(count).astype(np.int32)
    weights = rng.generator.beta(options.alpha, options.alpha, count)
    return partners, np.where(is_mixed, weights, 1.0).astype(np.float32)


def mix_labels(labels: np.ndarray, draws: Draws) -> np.ndarray:
    """Averages each label and its partner's, with the weights that were drawn.

    Args:
        labels: float32 (batch, classes), whole multiples of 2^-24 from 0 to 1.
        draws: int32 (batch,) `partners`, and `weights` in units of 2^-24.

    Returns:
        float32 (batch, classes), rounded to multiples of 2^-24, halves up.
    """
    weights = draws["weights"].astype(np.int64)[:, None]
    whole = (labels * np.float32(ONE)).astype(np.int64)
    mixed = whole * weights + whole[draws["partners"]] * (ONE - weights)
    rounded = (mixed + ONE // 2) >> ONE_BITS
    return rounded.astype(np.float32) * np.float32(1 / ONE)
