"""Flips and crops: each image is a mirror or a window of the original."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.augment.apply import (
    apply,
    pixels,
)
from zoo.augment import AugmentRng, apply_augmentations
from zoo.recipe.data_block import Augmentation


def test_flip_is_a_mirror_or_nothing() -> None:
    images = pixels((200, 3, 4, 2))
    changed = apply(images, {"random_flip": "horizontal"})
    mirrored = [
        np.array_equal(result, other[:, ::-1])
        for result, other in zip(changed, images, strict=True)
    ]
    unchanged = [
        np.array_equal(result, other) for result, other in zip(changed, images, strict=True)
    ]
    assert all(m != k for m, k in zip(mirrored, unchanged, strict=True))
    assert 70 <= sum(mirrored) <= 130  # Five standard deviations are 35.


def test_flip_of_both_axes_draws_each() -> None:
    """Four versions, about as often: not always both or none."""
    image = pixels((1, 3, 4, 1))
    changed = apply(np.repeat(image, 400, axis=0), {"random_flip": "horizontal_and_vertical"})
    versions = [image[0], image[0, :, ::-1], image[0, ::-1], image[0, ::-1, ::-1]]
    counts = [sum(np.array_equal(result, version) for result in changed) for version in versions]
    assert sum(counts) == 400
    assert min(counts) >= 60


def test_vertical_flip_turns_upside_down() -> None:
    image = pixels((1, 3, 4, 1))
    changed = apply(np.repeat(image, 20, axis=0), {"random_flip": "vertical"})
    assert any(np.array_equal(result, image[0, ::-1]) for result in changed)
    assert not any(np.array_equal(result, image[0, :, ::-1]) for result in changed)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.sampled_from(["constant", "reflect"]), st.integers(0, 100))
def test_crop_is_a_window_of_the_padded_image(padding: int, fill: str, seed: int) -> None:
    images = pixels((4, 6, 7, 1))
    step = {"random_crop": {"padding": padding, "fill": fill}}
    changed = apply(images, step, seed=seed)
    for result, image in zip(changed, images, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)), mode=fill)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (6, 7), axis=(0, 1))
        windows = windows.transpose(0, 1, 3, 4, 2).reshape(-1, 6, 7, 1)
        assert len(windows) == (2 * padding + 1) ** 2
        assert any(np.array_equal(result, window) for window in windows)


def test_crop_reaches_every_place() -> None:
    images = np.repeat(pixels((1, 6, 6, 1)), 500, axis=0)
    assert len({image.tobytes() for image in apply(images, {"random_crop": 1})}) == 9


def test_alternating_flip_mirrors_the_others_in_the_next_epoch() -> None:
    images = pixels((300, 3, 4, 2))
    epochs = [apply(images, "alternating_flip", epoch=epoch) for epoch in range(3)]
    mirrored = (epochs[0] == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert np.array_equal(epochs[0][~mirrored], images[~mirrored])
    assert np.array_equal(epochs[1], epochs[0][:, :, ::-1])
    assert np.array_equal(epochs[2], epochs[0])
    assert 107 <= mirrored.sum() <= 193  # Five standard deviations.


def test_alternating_flip_asks_only_which_image_it_is() -> None:
    """Not its place in the batch, nor the step's generator."""
    images = pixels((40, 3, 4, 1))
    step = [Augmentation.model_validate("alternating_flip")]
    order = np.random.default_rng(5).permutation(40)
    rng = AugmentRng(np.random.default_rng(9), 0, 0, order)
    changed, _ = apply_augmentations(images[order], order, step, rng)
    assert np.array_equal(changed, apply(images, "alternating_flip")[order])
