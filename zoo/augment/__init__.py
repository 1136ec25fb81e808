"""Random changes of training images: uint8 batches in, uint8 batches out.

Every image gets its own draws; Keras's RandomCrop draws one place a batch. Keras's layers would
also be part of the model: they would run in every training-mode call, and be exported.

An augmentation has three functions. The first draws random numbers on the host; draws never depend
on pixels. The second applies the draws to a batch on the host, with numpy. The third applies them
on the device, with keras.ops (zoo/augment/device). Host and device give equal bits.

To add an augmentation:

1. Describe its word and options in `AUGMENTATIONS` of zoo/recipe/words/data.py. List the word in
   `MIXING` there too if it changes labels. Recipe errors, `zoo schema` and docs/recipe.md follow
   (`make docs`).
2. Write `draw_WORD(options, rng, shape)` and `WORD(images, options, draws)` in the module of its
   kind below, or in a new one. Only the first draws, from `rng` alone. The second never writes to
   the arrays that it is given. If the word mixes labels, it draws `partners` and `weights`, from
   which `mixing.mix_labels` makes the labels.
3. Add both to `AUGMENTATIONS` below.
4. Write `WORD(images, options, draws)` with keras.ops in the module of the same name in
   zoo/augment/device, and add it to `DEVICE_AUGMENTATIONS` there. Its bits must be the host's on
   every backend, so it uses integers, and floats only where no result is rounded. A recipe with a
   word that is not in that table is trained from batches that the host makes.
5. If it does not fit every image size or another word, say so in zoo/recipe/augment.py.
6. Add a line to `STEPS` of tests/augment/apply.py (to `COLOURS` if it needs colour images, to
   `MIXED` if it changes labels), a test of what it does beside the others, a line to CHANGELOG.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zoo.augment import (
    blur,
    colour,
    erasing,
    geometry,
    mixing,
    own,
    rand_augment,
    transformations,
    trivial_augment,
    warp,
)
from zoo.augment.rng import AugmentRng, Draws, Images, Shape
from zoo.recipe.fields import Choice
from zoo.recipe.words import MIXING

__all__ = [
    "AUGMENTATIONS",
    "AugmentRng",
    "apply_augmentations",
    "draw_augmentations",
    "needs_whole_batches",
    "with_mean_levels",
]


class Augmentation(NamedTuple):
    """How a word of a recipe changes images.

    Args:
        draw: function(options, rng, shape) -> draws.
        apply: function(images, options, draws) -> images.
    """

    draw: Callable[[Any, AugmentRng, Shape], Draws]
    apply: Callable[[Images, Any, Draws], Images]


AUGMENTATIONS: dict[str, Augmentation] = {
    "random_flip": Augmentation(geometry.draw_random_flip, geometry.random_flip),
    "alternating_flip": Augmentation(geometry.draw_alternating_flip, geometry.alternating_flip),
    "random_crop": Augmentation(geometry.draw_random_crop, geometry.random_crop),
    "random_resized_crop": Augmentation(transformations.draw_random_resized_crop, warp.warp),
    "random_rotation": Augmentation(transformations.draw_random_rotation, warp.warp),
    "random_translation": Augmentation(transformations.draw_random_translation, warp.warp),
    "random_zoom": Augmentation(transformations.draw_random_zoom, warp.warp),
    "random_shear": Augmentation(transformations.draw_random_shear, warp.warp),
    "cutout": Augmentation(erasing.draw_cutout, erasing.cutout),
    "random_erasing": Augmentation(erasing.draw_random_erasing, erasing.random_erasing),
    "random_color_jitter": Augmentation(
        colour.draw_random_color_jitter, colour.random_color_jitter
    ),
    "random_brightness": Augmentation(colour.draw_random_brightness, colour.random_brightness),
    "random_contrast": Augmentation(colour.draw_random_contrast, colour.random_contrast),
    "gaussian_blur": Augmentation(blur.draw_gaussian_blur, blur.gaussian_blur),
    "rand_augment": Augmentation(rand_augment.draw_rand_augment, rand_augment.rand_augment),
    "trivial_augment": Augmentation(
        trivial_augment.draw_trivial_augment, trivial_augment.trivial_augment
    ),
    "mixup": Augmentation(mixing.draw_mixup, mixing.mixup),
    "cutmix": Augmentation(mixing.draw_cutmix, mixing.cutmix),
}


def with_mean_levels(
    augmentations: Sequence[Choice], means: Callable[[], Sequence[float]]
) -> tuple[Choice, ...]:
    """Returns the augmentations with a level for each channel in the place of `value: mean`.

    Args:
        augmentations: the recipe's `data.augment`.
        means: returns the mean of each channel of the training images, 0 to 255; called only if an
            augmentation asks for it.
    """
    if not any(getattr(step.options, "value", None) == "mean" for step in augmentations):
        return tuple(augmentations)
    levels = tuple(round(mean) for mean in means())
    return tuple(
        step.model_copy(update={step.word: step.options.model_copy(update={"value": levels})})
        if getattr(step.options, "value", None) == "mean"
        else step
        for step in augmentations
    )


def draw_augmentations(
    augmentations: Sequence[Choice], rng: AugmentRng, shape: Shape
) -> list[Draws]:
    """Draws the random numbers of one batch's augmentations.

    Args:
        augmentations: the recipe's `data.augment`.
        rng: source of the random draws.
        shape: (batch, height, width, channels) of the images.

    Returns:
        One dictionary of arrays for each augmentation, in their order. The first axis of each array
        is the batch. Names, shapes and dtypes depend on the augmentation, its options and `shape`
        alone.
    """
    return [
        _functions(augmentation).draw(augmentation.options, rng, shape)
        for augmentation in augmentations
    ]


def _functions(augmentation: Choice) -> Augmentation:
    """The functions of a word of zoo, or of a part of the user's own."""
    if augmentation.part:
        return Augmentation(own.draw, own.apply)
    return AUGMENTATIONS[augmentation.word]


def needs_whole_batches(augmentations: Sequence[Choice]) -> bool:
    """Whether rows of a batch cannot be made without its other rows.

    Some augmentations mix images; of the user's own nobody knows what they look at.

    Args:
        augmentations: the recipe's `data.augment`.
    """
    return any(step.part or step.word in MIXING for step in augmentations)


def apply_augmentations(
    images: Images,
    labels: np.ndarray,
    augmentations: Sequence[Choice],
    rng: AugmentRng,
    rows: slice = slice(None),
) -> tuple[Images, np.ndarray]:
    """Draws and applies the augmentations of a recipe in their order, on the host.

    Args:
        images: uint8 (batch, height, width, channels); not written to.
        labels: int32 (batch,), or float32 (batch, classes) where an augmentation mixes labels; not
            written to.
        augmentations: the recipe's `data.augment`.
        rng: source of the random draws, of a whole batch.
        rows: which rows of the batch `images` and `labels` hold, where nothing mixes its images.

    Returns:
        Images and labels of the same shapes and dtypes.
    """
    count, (height, width, channels) = len(rng.indices), images.shape[1:]
    all_draws = draw_augmentations(augmentations, rng, (count, height, width, channels))
    for augmentation, all_rows in zip(augmentations, all_draws, strict=True):
        draws = {name: array[rows] for name, array in all_rows.items()}
        word, options = augmentation.word, augmentation.options
        images = _functions(augmentation).apply(images, options, draws)
        if word in MIXING:
            labels = mixing.mix_labels(labels, draws)
    return images, labels
