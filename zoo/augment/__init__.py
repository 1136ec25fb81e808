"""Random changes of training images: numpy functions over uint8 batches.

Every image gets its own draws; Keras's RandomCrop draws one place a batch. Keras's layers would
also be part of the model: they would run in every training-mode call, and be exported.

To add an augmentation:

1. Describe its word and options in `AUGMENTATIONS` of zoo/recipe/words/data.py. List the word in
   `MIXING` there too if it changes labels. Recipe errors, `zoo schema` and docs/recipe.md follow
   (`make docs`).
2. Write its function in the module of its kind below, or in a new one. It draws from `rng` alone,
   never writes to the arrays that it is given, and reads its options as attributes of `options`.
3. Add the word to `IMAGE_AUGMENTATIONS`, or to `LABEL_AUGMENTATIONS` if it changes labels.
4. If it does not fit every image size or another word, say so in zoo/recipe/augment.py.
5. Add a line to `STEPS` of tests/augment/apply.py (to `COLOURS` if it needs colour images, to
   `MIXED` if it changes labels), a test of what it does beside the others, a line to CHANGELOG.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoo.augment import colour, erasing, geometry, mixing, rand_augment
from zoo.augment.rng import AugmentRng, Images
from zoo.recipe.fields import Choice

__all__ = ["IMAGE_AUGMENTATIONS", "LABEL_AUGMENTATIONS", "AugmentRng", "apply_augmentations"]

# Word in a recipe -> function(images, options, rng) -> images.
IMAGE_AUGMENTATIONS: dict[str, Callable[[Images, Any, AugmentRng], Images]] = {
    "random_flip": geometry.random_flip,
    "alternating_flip": geometry.alternating_flip,
    "random_crop": geometry.random_crop,
    "cutout": erasing.cutout,
    "random_erasing": erasing.random_erasing,
    "random_color_jitter": colour.random_color_jitter,
    "rand_augment": rand_augment.rand_augment,
}
# Word in a recipe -> function(images, labels, options, rng) -> (images, labels).
LABEL_AUGMENTATIONS: dict[
    str, Callable[[Images, np.ndarray, Any, AugmentRng], tuple[Images, np.ndarray]]
] = {
    "mixup": mixing.mixup,
    "cutmix": mixing.cutmix,
}


def apply_augmentations(
    images: Images, labels: np.ndarray, augmentations: Sequence[Choice], rng: AugmentRng
) -> tuple[Images, np.ndarray]:
    """Applies the augmentations of a recipe in their order.

    Args:
        images: uint8 (batch, height, width, channels); not written to.
        labels: int32 (batch,), or float32 (batch, classes) where an augmentation mixes labels; not
            written to.
        augmentations: the recipe's `data.augment`.
        rng: source of the random draws.

    Returns:
        Images and labels of the same shapes and dtypes.
    """
    for augmentation in augmentations:
        word, options = augmentation.word, augmentation.options
        if word in LABEL_AUGMENTATIONS:
            images, labels = LABEL_AUGMENTATIONS[word](images, labels, options, rng)
        else:
            images = IMAGE_AUGMENTATIONS[word](images, options, rng)
    return images, labels
