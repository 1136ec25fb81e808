"""Augmentations that mix each image, and its label, with another image of the batch.

Labels are float32 (batch, classes), one distribution over the classes an image. Each image draws
its own mixing weight (the papers draw one a batch); an image whose partner is itself stays as it
is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.erasing import rectangle_masks
from zoo.augment.rng import AugmentRng, Images, per_image


def mixup(
    images: Images, labels: np.ndarray, options: Any, rng: AugmentRng
) -> tuple[Images, np.ndarray]:
    """Averages image and partner, and their labels, with weights w and 1 - w.

    Pixels are rounded. Source: Zhang et al. 2018.
    """
    partners, weights = _draw_partners(len(images), options, rng)
    mixed = images * per_image(weights)
    mixed += images[partners] * per_image(1 - weights)
    return np.rint(mixed, out=mixed).astype(np.uint8), _mix_labels(labels, partners, weights)


def cutmix(
    images: Images, labels: np.ndarray, options: Any, rng: AugmentRng
) -> tuple[Images, np.ndarray]:
    """Pastes a rectangle of the partner; a label's weight is the fraction of pixels it keeps.

    The rectangle has the image's proportions. Its centre is anywhere, so it may be cut by an edge.
    Source: Yun et al. 2019.
    """
    count, height, width, _ = images.shape
    partners, weights = _draw_partners(count, options, rng)
    side = np.sqrt(1 - weights)
    heights, widths = (height * side).astype(np.int64), (width * side).astype(np.int64)
    tops = rng.generator.integers(0, height, count) - heights // 2
    lefts = rng.generator.integers(0, width, count) - widths // 2
    pasted = rectangle_masks(images, tops, heights, lefts, widths)
    weights = 1 - pasted.mean(axis=(1, 2, 3), dtype=np.float64)
    return np.where(pasted, images[partners], images), _mix_labels(labels, partners, weights)


def _draw_partners(count: int, options: Any, rng: AugmentRng) -> tuple[np.ndarray, np.ndarray]:
    """Draws each image's partner in the batch and its own weight: 1 where it is not mixed.

    Returns:
        Partners, int (count,), and weights, float32 (count,).
    """
    is_mixed = rng.generator.random(count) < options.probability
    partners = rng.generator.permutation(count)
    weights = rng.generator.beta(options.alpha, options.alpha, count)
    return partners, np.where(is_mixed, weights, 1.0).astype(np.float32)


def _mix_labels(labels: np.ndarray, partners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    weights = weights.astype(np.float32)[:, None]
    mixed: np.ndarray = labels * weights + labels[partners] * (1 - weights)
    return mixed
