"""Augmentations that mix each image, and its label, with another image of the batch.

Labels are float32 (batch, classes), one distribution over the classes an image. Each image draws
its own mixing weight (the papers draw one a batch); an image whose partner is itself stays as it
is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.erasing import rectangle_masks
from zoo.augment.rng import AugmentRng, Draws, Images, Shape, per_image


def draw_mixup(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's partner in the batch and its own weight: 1 where it is not mixed.

    Returns:
        int32 (batch,) `partners`, float32 (batch,) `weights`.
    """
    partners, weights = _draw_partners(shape[0], options, rng)
    return {"partners": partners, "weights": weights}


def mixup(images: Images, options: Any, draws: Draws) -> Images:
    """Averages image and partner with weights w and 1 - w; `mix_labels` does it to their labels.

    Pixels are rounded. Source: Zhang et al. 2018.
    """
    weights = draws["weights"]
    mixed = images * per_image(weights)
    mixed += images[draws["partners"]] * per_image(1 - weights)
    rounded: np.ndarray = np.rint(mixed, out=mixed).astype(np.uint8)
    return rounded


def draw_cutmix(options: Any, rng: AugmentRng, shape: Shape) -> Draws:
    """Draws each image's partner and the rectangle that is pasted.

    The rectangle has the image's proportions. Its centre is anywhere, so it may be cut by an edge.

    Returns:
        int32 (batch,) `partners`, `tops`, `heights`, `lefts` and `widths`, of which tops and lefts
        may be negative; float32 (batch,) `weights`, the fraction of pixels that an image keeps.
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
        "weights": (1 - rows * columns / (height * width)).astype(np.float32),
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
        labels: float32 (batch, classes).
        draws: int32 (batch,) `partners`, float32 (batch,) `weights`.

    Returns:
        float32 (batch, classes).
    """
    weights = draws["weights"][:, None]
    mixed: np.ndarray = labels * weights + labels[draws["partners"]] * (1 - weights)
    return mixed
