"""The fourteen operations of RandAugment."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.augment.apply import (
    apply,
    pixels,
)
from zoo.augment.affine import FILL_GREY, MATRICES, resample
from zoo.augment.rand_augment import OPERATIONS


@pytest.mark.parametrize("shape", [(32, 32, 3), (20, 31, 1), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("word", OPERATIONS)
def test_operations(word: str, shape: tuple[int, int, int]) -> None:
    """All change a picture but identity, and keep its mode and size."""
    image = pixels((1, *shape))[0] // 4 * 3 + 20
    picture = Image.fromarray(image[..., 0] if shape[2] == 1 else image)
    for by in (-1.0, -0.3, 0.3, 1.0):
        changed = OPERATIONS[word](picture, by)
        assert (changed.mode, changed.size) == (picture.mode, picture.size)
        if word != "identity" and min(shape[:2]) > 2 and (word, shape[2]) != ("color", 1):
            assert changed.tobytes() != picture.tobytes()


@pytest.mark.parametrize("word", ["rotate", "shear_x", "shear_y"])
def test_operations_about_the_middle(word: str) -> None:
    """A dot in the middle stays; what comes in is grey."""
    image = np.zeros((33, 33), np.uint8)
    image[15:18, 15:18] = 255
    for by in (-1.0, 1.0):
        changed = np.asarray(OPERATIONS[word](Image.fromarray(image), by))
        assert changed[16, 16] == 255
        assert (changed == 128).any()


def test_translations_move_by_their_share() -> None:
    image = np.zeros((331, 331), np.uint8)
    image[165, 165] = 255
    for word, place in (("translate_x", (165, 90)), ("translate_y", (90, 165))):
        changed = np.asarray(OPERATIONS[word](Image.fromarray(image), 0.5))
        assert changed[place] == 255


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([*MATRICES, "auto_contrast"]),
    st.floats(-1, 1),
    st.sampled_from([(32, 32, 3), (20, 31, 1), (2, 1, 3)]),
)
def test_operations_in_integers_are_near_those_of_pillow(
    word: str, strength: float, shape: tuple[int, int, int]
) -> None:
    image = pixels((1, *shape))[0] // 3 + 40
    picture = Image.fromarray(image[..., 0] if shape[2] == 1 else image)
    if word == "auto_contrast":
        wanted = ImageOps.autocontrast(picture)
    else:
        matrix = MATRICES[word](strength, *shape[:2])
        wanted = picture.transform(
            picture.size,
            Image.Transform.AFFINE,
            matrix,
            Image.Resampling.BILINEAR,
            fillcolor=(FILL_GREY,) * shape[2],
        )
        if word == "rotate" and abs(strength) > 0.01:
            rotated = picture.rotate(
                30 * strength, Image.Resampling.BILINEAR, fillcolor=(FILL_GREY,) * shape[2]
            )
            assert np.abs(np.asarray(rotated, int) - np.asarray(wanted, int)).max() <= 1
    gaps = np.abs(np.asarray(OPERATIONS[word](picture, strength), int) - np.asarray(wanted, int))
    assert gaps.max() <= 1


def test_few_pixels_differ_from_those_of_pillow() -> None:
    images = pixels((20, 32, 32, 3))
    differing = 0
    for image, strength in zip(images, np.linspace(-1, 0.97, len(images)), strict=True):
        wanted = Image.fromarray(image).rotate(
            30 * strength, Image.Resampling.BILINEAR, fillcolor=(FILL_GREY,) * 3
        )
        differing += (resample(image, "rotate", strength) != np.asarray(wanted)).sum()
    assert differing < 20  # Of 61,440.


def test_auto_contrast_reaches_both_ends() -> None:
    for lowest, highest in itertools.combinations(range(0, 256, 5), 2):
        picture = Image.fromarray(np.array([[lowest, highest]], np.uint8))
        assert OPERATIONS["auto_contrast"](picture, 1.0).getextrema() == (0, 255)


def test_all_operations_are_drawn() -> None:
    """As often, alone, as many versions of one image as there are operations and signs."""
    image = pixels((1, 32, 32, 3)) // 2 + 40
    changed = apply(np.repeat(image, 2000, axis=0), {"rand_augment": 1})
    versions = {changed_image.tobytes() for changed_image in changed}
    # One for identity, auto_contrast, equalize, solarize and posterize, two for the nine others.
    assert len(versions) == 5 + 2 * 9
    unchanged = (changed == image).all(axis=(1, 2, 3)).sum()
    assert 85 <= unchanged <= 200  # A fourteenth is 143; five standard deviations are 58.
