"""What guessing reaches. Light."""

from __future__ import annotations

import math
from collections.abc import Sequence


def guessing_bound(share: float, images: float) -> float:
    """Accuracy that guessing stays below: p0 + 3 sqrt(p0 (1 - p0) / n), p0 the share, n images.

    The mean plus three standard deviations, in the normal approximation of the binomial.

    Args:
        share: share of the largest class, which a constant answer gets right.
        images: number of images on which the accuracy is measured.
    """
    return share + 3 * math.sqrt(share * (1 - share) / max(images, 1))


def balanced_images(counts: Sequence[int]) -> float:
    """Number of images whose accuracy is as uncertain as a balanced accuracy: C^2 / sum(1 / n_c).

    A balanced accuracy is the mean over C classes of recalls with variances p (1 - p) / n_c.

    Args:
        counts: images of each class; classes without images do not count.
    """
    present = [count for count in counts if count > 0]
    return len(present) ** 2 / sum(1 / count for count in present) if present else 0.0


def balanced_guessing_bound(counts: Sequence[int], share: float | None = None) -> float:
    """Balanced accuracy that guessing stays below: `guessing_bound` of 1 / C.

    Every answer that ignores the image has a balanced accuracy of 1 / C in the mean.

    Args:
        counts: images of each class; classes without images do not count.
        share: what guessing reaches in the mean; None: 1 / C.
    """
    classes = sum(count > 0 for count in counts)
    share = 1 / max(classes, 1) if share is None else share
    return share + 3 * math.sqrt(share * (1 - share) / max(balanced_images(counts), 1e-9))


def area_guessing_bound(positives: Sequence[int], images: int) -> float:
    """Mean AUC over the classes that guessing stays below: 1 / 2 plus three standard deviations.

    Of a class with n1 images and n0 others the variance of a guess is (n1 + n0 + 1) / (12 n1 n0)
    (Mann & Whitney 1947). The classes may all be guessed alike, so that their deviations add up.

    Args:
        positives: images of each class; a class that no image or each image has does not count.
        images: number of images.
    """
    deviations = [
        math.sqrt((images + 1) / (12 * count * (images - count)))
        for count in positives
        if 0 < count < images
    ]
    return 0.5 + 3 * sum(deviations) / len(deviations) if deviations else 1.0
