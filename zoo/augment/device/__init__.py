"""Applies augmentations on the device, inside of a compiled training loop.

Written in keras.ops, for `jax.jit` and `tf.function`. The host draws the random numbers
(`draw_augmentations`) and the device applies them. Results equal the host's to the bit on every
backend: pixels are computed in integers, since compilers may fuse a product and a sum of floats and
so round differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zoo.augment.device import (
    blur,
    colour,
    erasing,
    geometry,
    mixing,
    rand_augment,
    trivial_augment,
)
from zoo.augment.device.warp import warp, warp_along_axes
from zoo.recipe.fields import Choice
from zoo.recipe.words import MIXING

__all__ = ["DEVICE_WORDS", "apply_on_device"]

Tensor = Any
Draws = Mapping[str, Tensor]

# Word in a recipe -> function(images, options, draws) -> images.
DEVICE_AUGMENTATIONS: dict[str, Callable[[Tensor, Any, Draws], Tensor]] = {
    "random_flip": geometry.random_flip,
    "alternating_flip": geometry.alternating_flip,
    "random_crop": geometry.random_crop,
    "random_resized_crop": warp_along_axes,
    "random_rotation": warp,
    "random_translation": warp_along_axes,
    "random_zoom": warp_along_axes,
    "random_shear": warp,
    "cutout": erasing.cutout,
    "random_erasing": erasing.random_erasing,
    "random_color_jitter": colour.random_color_jitter,
    "random_brightness": colour.random_brightness,
    "random_contrast": colour.random_contrast,
    "gaussian_blur": blur.gaussian_blur,
    "rand_augment": rand_augment.rand_augment,
    "trivial_augment": trivial_augment.trivial_augment,
    "mixup": mixing.mixup,
    "cutmix": mixing.cutmix,
}
DEVICE_WORDS = frozenset(DEVICE_AUGMENTATIONS)  # Words that `apply_on_device` knows.


def apply_on_device(
    images: Tensor, labels: Tensor, augmentations: Sequence[Choice], draws: Sequence[Draws]
) -> tuple[Tensor, Tensor]:
    """Applies the augmentations of a recipe in their order.

    Args:
        images: uint8 (batch, height, width, channels). The batch may be unknown (TensorFlow); the
            other sizes are known when the function is traced.
        labels: int32 (batch,), or float32 (batch, classes) where an augmentation mixes labels.
        augmentations: the recipe's `data.augment`; each word is one of `DEVICE_WORDS`.
        draws: what `draw_augmentations` returned for this batch, as tensors.

    Returns:
        Images and labels of the same shapes and dtypes, equal to those of `apply_augmentations`.
    """
    for augmentation, drawn in zip(augmentations, draws, strict=True):
        word, options = augmentation.word, augmentation.options
        images = DEVICE_AUGMENTATIONS[word](images, options, drawn)
        if word in MIXING:
            labels = mixing.mix_labels(labels, drawn)
    return images, labels
