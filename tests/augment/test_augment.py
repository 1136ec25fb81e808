"""What holds for every augmentation: own draws for each image, and inputs left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.augment.apply import (
    BLANK,
    COLOURS,
    MIXED,
    SHAPES,
    STEPS,
    apply,
    pixels,
)
from zoo.augment import AUGMENTATIONS, AugmentRng, draw_augmentations
from zoo.recipe import words
from zoo.recipe.data_block import Augmentation


def test_every_word_has_code() -> None:
    assert AUGMENTATIONS.keys() == words.AUGMENTATIONS.keys()


@pytest.mark.parametrize("step", [*STEPS, *MIXED], ids=str)
def test_draws_of_many_steps_can_be_stacked(step: Any) -> None:
    """The batch is the first axis; names, shapes and dtypes are those of every other batch."""
    chosen = [Augmentation.model_validate(step)]
    drawn = []
    for seed in (0, 1):
        rng = AugmentRng(np.random.default_rng(seed), seed, 0, np.arange(5))
        (draws,) = draw_augmentations(chosen, rng, (5, 8, 9, 3))
        assert all(len(array) == 5 for array in draws.values())
        drawn.append({name: (array.shape, array.dtype) for name, array in draws.items()})
    assert drawn[0] == drawn[1]
    assert drawn[0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("step", [*STEPS, *COLOURS, *MIXED, BLANK], ids=str)
def test_shape_and_dtype_stay_and_input_is_left_alone(step: Any, shape: tuple[int, ...]) -> None:
    images = pixels(shape)
    images.flags.writeable = False  # As of a split that is mapped from a file.
    changed = apply(images, step)
    assert (changed.shape, changed.dtype) == (shape, np.uint8)
    assert np.array_equal(images, pixels(shape))


@pytest.mark.parametrize("step", [*STEPS, *COLOURS, *MIXED], ids=str)
def test_same_draws_same_images(step: Any) -> None:
    images = pixels((6, 8, 8, 3))
    assert np.array_equal(apply(images, step), apply(images, step))
    assert not np.array_equal(apply(images, step), apply(images, step, seed=1))


@pytest.mark.parametrize("step", [*STEPS, *COLOURS], ids=str)
def test_each_image_on_its_own(step: Any) -> None:
    """Of one image a hundred times over, a batch gets several versions, not one."""
    images = np.repeat(pixels((1, 8, 8, 3)), 100, axis=0)
    versions = {image.tobytes() for image in apply(images, step)}
    assert len(versions) >= 2
    if not (isinstance(step, str) or "random_flip" in step):
        assert len(versions) >= 20


def test_steps_in_their_order() -> None:
    images = np.full((50, 6, 6, 1), 9, np.uint8)
    crop, cut = {"random_crop": 5}, {"cutout": {"size": 20, "value": 3}}
    assert (apply(images, crop, cut) == 3).all()
    assert (apply(images, cut, crop) == 0).any()


def test_none_is_none() -> None:
    images = pixels((2, 4, 4, 1))
    assert apply(images) is images


def test_empty_batch() -> None:
    for step in [*STEPS, *COLOURS, *MIXED]:
        assert apply(np.empty((0, 4, 4, 1), np.uint8), step).shape == (0, 4, 4, 1)
