"""Augmentations that mix each image, and its label, with another one of the batch.

Labels are float32 rows (batch, classes). Both draw a share for each image, where their papers draw
one a batch; an image whose partner is itself stays as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.augment.geometry import boxes
from zoo.augment.rng import AugmentRng, Images, per_image


def mixup(
    images: Images, labels: np.ndarray, options: Any, draw: AugmentRng
) -> tuple[Images, np.ndarray]:
    """share * image + (1 - share) * partner, for pixels, rounded, and labels.

    Source: Zhang et al. 2018.
    """
    partners, shares = _drawn(len(images), options, draw)
    own, other = per_image(shares), per_image(1 - shares)
    mixed = images * own
    mixed += images[partners] * other
    return np.rint(mixed, out=mixed).astype(np.uint8), _rows(labels, partners, shares)


def cutmix(
    images: Images, labels: np.ndarray, options: Any, draw: AugmentRng
) -> tuple[Images, np.ndarray]:
    """Pastes a rectangle of the partner; the label's share is that of the pixels left.

    The rectangle has the image's proportions, and its middle is anywhere, so that an edge may cut
    it. Source: Yun et al. 2019.
    """
    count, height, width, _ = images.shape
    partners, shares = _drawn(count, options, draw)
    sides = np.sqrt(1 - shares)
    tall, wide = (height * sides).astype(np.int64), (width * sides).astype(np.int64)
    tops = draw.rng.integers(0, height, count) - tall // 2
    lefts = draw.rng.integers(0, width, count) - wide // 2
    inside = boxes(images, tops, tall, lefts, wide)
    left = 1 - inside.mean(axis=(1, 2, 3), dtype=np.float64)
    return np.where(inside, images[partners], images), _rows(labels, partners, left)


def _drawn(count: int, options: Any, draw: AugmentRng) -> tuple[np.ndarray, np.ndarray]:
    """Each image's partner in the batch, and its own share: 1 where it is not to be mixed."""
    chosen = draw.rng.random(count) < options.probability
    partners = draw.rng.permutation(count)
    shares = draw.rng.beta(options.alpha, options.alpha, count)
    return partners, np.where(chosen, shares, 1.0).astype(np.float32)


def _rows(labels: np.ndarray, partners: np.ndarray, shares: np.ndarray) -> np.ndarray:
    own = shares.astype(np.float32)[:, None]
    return labels * own + labels[partners] * (1 - own)
