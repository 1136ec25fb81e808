"""Random changes of training images, each image on its own, on whole uint8 batches in numpy.

Keras's RandomCrop draws one place a batch, and its layers run in training mode when a model is
called or exported; here augmentation is part of the data, a pure function of what it is drawn from.
A new augmentation is a line in `names.AUGMENTATIONS` and an entry in `AUGMENT` (in `MIX` where it
mixes labels too; `names.MIXING` says so to the recipe language).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoo.augment import colour, geometry, mixing, operations
from zoo.augment.rng import AugmentRng, Images
from zoo.recipe.fields import Choice

__all__ = ["AUGMENT", "MIX", "Draw", "augmented"]

AUGMENT: dict[str, Callable[[Images, Any, AugmentRng], Images]] = {
    "random_flip": geometry.random_flip,
    "alternating_flip": geometry.alternating_flip,
    "random_crop": geometry.random_crop,
    "cutout": geometry.cutout,
    "random_erasing": geometry.random_erasing,
    "random_color_jitter": colour.random_color_jitter,
    "rand_augment": operations.rand_augment,
}
MIX: dict[str, Callable[[Images, np.ndarray, Any, AugmentRng], tuple[Images, np.ndarray]]] = {
    "mixup": mixing.mixup,
    "cutmix": mixing.cutmix,
}


def augmented(
    images: Images, labels: np.ndarray, steps: Sequence[Choice], draw: AugmentRng
) -> tuple[Images, np.ndarray]:
    """Applies the recipe's augmentations in their order; never changes what it is given.

    Args:
        images: uint8 (batch, height, width, channels).
        labels: one an image; float32 rows (batch, classes) where a step mixes them.
        steps: the recipe's augmentations.
        draw: what they are drawn from.
    """
    for step in steps:
        if step.word in MIX:
            images, labels = MIX[step.word](images, labels, step.options, draw)
        else:
            images = AUGMENT[step.word](images, step.options, draw)
    return images, labels
