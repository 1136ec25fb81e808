"""The accuracy that guessing reaches. Light."""

from __future__ import annotations

import math


def guessing_bound(share: float, images: int) -> float:
    """Accuracy that guessing stays below: p0 + 3 sqrt(p0 (1 - p0) / n), p0 the share, n images.

    The mean plus three standard deviations, in the normal approximation of the binomial.

    Args:
        share: share of the largest class, which a constant answer gets right.
        images: number of images on which the accuracy is measured.
    """
    return share + 3 * math.sqrt(share * (1 - share) / max(images, 1))
