"""Each image is changed on its own, by a draw of its own, and the caller's array stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import names
from zoo.augment import AUGMENT, augmented
from zoo.recipe.schema import Augmentation

SHAPES = [(5, 8, 8, 3), (1, 8, 8, 1), (4, 5, 9, 3), (3, 1, 1, 1)]
STEPS: list[Any] = [
    *({"random_flip": mode} for mode in ("horizontal", "vertical", "horizontal_and_vertical")),
    {"random_crop": 2},
    {"random_crop": {"padding": 3, "fill": "constant"}},
    {"cutout": 3},
]
BLANK = {"cutout": {"size": 20, "value": 0}}  # Larger than any of the images.


def pixels(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def apply(images: np.ndarray, *steps: Any, seed: int = 0) -> np.ndarray:
    chosen = [Augmentation.model_validate(step) for step in steps]
    return augmented(images, chosen, np.random.default_rng(seed))


def test_every_word_has_code() -> None:
    assert AUGMENT.keys() == names.AUGMENTATIONS.keys()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("step", [*STEPS, BLANK], ids=str)
def test_shape_and_dtype_stay_and_input_is_left_alone(step: Any, shape: tuple[int, ...]) -> None:
    images = pixels(shape)
    images.flags.writeable = False  # As of a split that is mapped from a file.
    found = apply(images, step)
    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert np.array_equal(images, pixels(shape))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_same_draws_same_images(step: Any) -> None:
    images = pixels((6, 8, 8, 3))
    assert np.array_equal(apply(images, step), apply(images, step))
    assert not np.array_equal(apply(images, step), apply(images, step, seed=1))


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_each_image_on_its_own(step: Any) -> None:
    """Of one image a hundred times over, a batch gets several versions, not one."""
    images = np.repeat(pixels((1, 8, 8, 3)), 100, axis=0)
    versions = {image.tobytes() for image in apply(images, step)}
    assert len(versions) >= 2
    if "random_crop" in step or "cutout" in step:
        assert len(versions) >= 20


def test_flip_is_a_mirror_or_nothing() -> None:
    images = pixels((200, 3, 4, 2))
    found = apply(images, {"random_flip": "horizontal"})
    mirrored = [
        np.array_equal(one, other[:, ::-1]) for one, other in zip(found, images, strict=True)
    ]
    kept = [np.array_equal(one, other) for one, other in zip(found, images, strict=True)]
    assert all(m != k for m, k in zip(mirrored, kept, strict=True))
    assert 70 <= sum(mirrored) <= 130  # Five standard deviations are 35.


def test_flip_of_both_axes_draws_each() -> None:
    """Four versions, about as often: not always both or none."""
    image = pixels((1, 3, 4, 1))
    found = apply(np.repeat(image, 400, axis=0), {"random_flip": "horizontal_and_vertical"})
    versions = [image[0], image[0, :, ::-1], image[0, ::-1], image[0, ::-1, ::-1]]
    counts = [sum(np.array_equal(one, version) for one in found) for version in versions]
    assert sum(counts) == 400
    assert min(counts) >= 60


def test_vertical_flip_turns_upside_down() -> None:
    image = pixels((1, 3, 4, 1))
    found = apply(np.repeat(image, 20, axis=0), {"random_flip": "vertical"})
    assert any(np.array_equal(one, image[0, ::-1]) for one in found)
    assert not any(np.array_equal(one, image[0, :, ::-1]) for one in found)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.sampled_from(["constant", "reflect"]), st.integers(0, 100))
def test_crop_is_a_window_of_the_padded_image(padding: int, fill: str, seed: int) -> None:
    images = pixels((4, 6, 7, 1))
    step = {"random_crop": {"padding": padding, "fill": fill}}
    found = apply(images, step, seed=seed)
    for one, image in zip(found, images, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), mode=fill)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (6, 7), axis=(0, 1))
        windows = windows.transpose(0, 1, 3, 4, 2).reshape(-1, 6, 7, 1)
        assert len(windows) == (2 * padding + 1) ** 2
        assert any(np.array_equal(one, window) for window in windows)


def test_crop_reaches_every_place() -> None:
    images = np.repeat(pixels((1, 6, 6, 1)), 500, axis=0)
    assert len({image.tobytes() for image in apply(images, {"random_crop": 1})}) == 9


def test_cutout_is_a_square_that_may_reach_over_the_edge() -> None:
    images = np.full((400, 8, 8, 3), 7, np.uint8)
    found = apply(images, {"cutout": {"size": 3, "value": 200}})
    sizes = set()
    for image in found:
        cut = (image == 200).all(axis=-1)
        rows, columns = np.flatnonzero(cut.any(axis=1)), np.flatnonzero(cut.any(axis=0))
        # A rectangle without holes, all channels alike; nothing else has changed.
        assert cut.sum() == len(rows) * len(columns)
        assert (image[~cut] == 7).all()
        assert np.ptp(rows) + 1 == len(rows)
        # Only at a border is it smaller than asked for.
        if len(rows) < 3:
            assert rows[0] == 0 or rows[-1] == 7
        sizes.add((len(rows), len(columns)))
    # The centre lies in the image, so half of the square at least does.
    assert sizes == {(a, b) for a in (2, 3) for b in (2, 3)}


def test_cutout_centre_is_anywhere() -> None:
    """Every pixel is hit, corners too."""
    found = apply(np.zeros((600, 5, 5, 1), np.uint8), {"cutout": {"size": 1, "value": 9}})
    assert (found == 9).sum() == 600
    assert (found == 9).any(axis=0).all()


def test_larger_than_the_image() -> None:
    found = apply(pixels((3, 4, 4, 1)), BLANK)
    assert not found.any()


def test_steps_in_their_order() -> None:
    images = np.full((50, 6, 6, 1), 9, np.uint8)
    crop, cut = {"random_crop": 5}, {"cutout": {"size": 20, "value": 3}}
    assert (apply(images, crop, cut) == 3).all()
    assert (apply(images, cut, crop) == 0).any()


def test_none_is_none() -> None:
    images = pixels((2, 4, 4, 1))
    assert apply(images) is images


def test_empty_batch() -> None:
    for step in STEPS:
        assert apply(np.empty((0, 4, 4, 1), np.uint8), step).shape == (0, 4, 4, 1)
