"""Rotations, zooms, translations, shears and resized crops, against Keras, scipy and Pillow.

A factor [f, f] leaves nothing to chance, so that other implementations make the same image.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests.augment.apply import apply, pixels
from zoo.augment import AugmentRng, draw_augmentations
from zoo.augment.warp import fraction_bits, warp
from zoo.recipe.data_block import Augmentation

# Word -> Keras's layer, and options without chance.
LAYERS: list[tuple[str, Any, dict[str, list[float]]]] = [
    ("random_rotation", keras.layers.RandomRotation, {"factor": [0.03, 0.03]}),
    ("random_rotation", keras.layers.RandomRotation, {"factor": [-0.37, -0.37]}),
    ("random_zoom", keras.layers.RandomZoom, {"height_factor": [0.9, 0.9]}),
    (
        "random_zoom",
        keras.layers.RandomZoom,
        {"height_factor": [-0.4, -0.4], "width_factor": [0.3, 0.3]},
    ),
    (
        "random_translation",
        keras.layers.RandomTranslation,
        {"height_factor": [0.31, 0.31], "width_factor": [-0.87, -0.87]},
    ),
]
# Keras's fill mode -> scipy's, which interpolates across the seam of `wrap`; Keras does not.
SCIPY_MODES = {
    "reflect": "reflect",
    "constant": "grid-constant",
    "nearest": "nearest",
    "wrap": "grid-wrap",
}
# Half a level by rounding, an eighth by weights that are multiples of 2^-11.
TOLERANCE = 0.63


@pytest.mark.parametrize("mode", ["reflect", "constant", "nearest"])
@pytest.mark.parametrize("word, layer, factors", LAYERS, ids=str)
def test_like_the_layer_of_keras(
    word: str, layer: Any, factors: dict[str, list[float]], mode: str
) -> None:
    images = pixels((2, 20, 27, 3))
    changed = apply(images, {word: {**factors, "fill_mode": mode, "fill_value": 90}})
    tuples = {name: tuple(factor) for name, factor in factors.items()}
    of_keras = layer(**tuples, fill_mode=mode, fill_value=90.0)
    wanted = np.asarray(of_keras(images.astype(np.float32), training=True))
    assert np.abs(changed - wanted).max() <= TOLERANCE


def test_shear_like_the_layer_of_keras() -> None:
    """Which draws the sign of both slopes for each image, as here."""
    images = np.repeat(pixels((1, 20, 27, 3)), 24, axis=0)
    factors = {"x_factor": (0.3, 0.3), "y_factor": (0.1, 0.1)}
    changed = apply(images, {"random_shear": {key: list(pair) for key, pair in factors.items()}})
    layer = keras.layers.RandomShear(**factors)
    wanted = np.asarray(layer(images.astype(np.float32), training=True))
    gaps = np.abs(changed[:, None] - wanted[None]).max(axis=(2, 3, 4))
    assert (gaps.min(axis=1) <= TOLERANCE).all()
    assert (gaps.min(axis=0) <= TOLERANCE).all()


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("size", [(20, 27), (1, 5), (64, 2)], ids=str)
def test_any_map_is_that_of_scipy(size: tuple[int, int], mode: str) -> None:
    """With the same draws; places up to two sides away from the image."""
    shape = (5, *size, 2)
    images = pixels(shape)
    options = {"x_factor": 1.0, "y_factor": 0.7, "fill_mode": mode, "fill_value": 40}
    (step,) = [Augmentation.model_validate({"random_shear": options})]
    rng = AugmentRng(np.random.default_rng(1), 1, 0, np.arange(5))
    (draws,) = draw_augmentations([step], rng, shape)
    changed = warp(images, step.options, draws)
    y, x = np.mgrid[: size[0], : size[1]]
    for image, result, drawn in zip(images, changed, draws["matrices"], strict=True):
        a, b, c, d, e, f = drawn / 2.0 ** fraction_bits(*size)
        places = [d * x + e * y + f, a * x + b * y + c]
        for channel in range(2):
            wanted = ndimage.map_coordinates(
                image[..., channel].astype(float), places, order=1, mode=SCIPY_MODES[mode], cval=40
            )
            assert np.abs(result[..., channel] - wanted).max() <= TOLERANCE


def test_nearest_pixels_only() -> None:
    """A quarter turn of a square, and a move by whole pixels, change no value."""
    images = pixels((3, 9, 9, 3))
    for interpolation in ("bilinear", "nearest"):
        more = {"interpolation": interpolation}
        turned = apply(images, {"random_rotation": {"factor": [0.25, 0.25], **more}})
        assert np.array_equal(turned, np.rot90(images, axes=(1, 2)))
        moved = apply(
            images,
            {
                "random_translation": {
                    "height_factor": [3 / 9, 3 / 9],
                    "width_factor": [-1 / 9, -1 / 9],
                    "fill_mode": "wrap",
                    **more,
                }
            },
        )
        assert np.array_equal(moved, np.roll(images, (3, -1), axis=(1, 2)))


def test_large_images_stay_within_32_bits() -> None:
    """Places have fewer bits after the point the larger the image is."""
    row = np.arange(65_000, dtype=np.uint32)
    images = (row // 255 % 256).astype(np.uint8).reshape(1, 1, -1, 1)
    step = {"random_translation": {"height_factor": 0.0, "width_factor": [1.0, 1.0]}}
    assert np.array_equal(apply(images, step), images[:, :, ::-1])  # The mirror image moves in.


def draws_of(step: Any, shape: tuple[int, int, int, int]) -> dict[str, np.ndarray]:
    rng = AugmentRng(np.random.default_rng(4), 4, 0, np.arange(shape[0]))
    (draws,) = draw_augmentations([Augmentation.model_validate(step)], rng, shape)
    return draws


def test_factors_are_uniform() -> None:
    """A number f is -f to f; zooms keep proportions unless the width has its own factor."""
    shape = (2000, 32, 32, 3)
    unit = 1 << fraction_bits(32, 32)
    matrices = draws_of({"random_rotation": 0.1}, shape)["matrices"] / unit
    angles = np.arctan2(matrices[:, 3], matrices[:, 0]) / (2 * np.pi)
    assert np.abs(
        np.quantile(angles, [0, 0.25, 0.5, 0.75, 1]) - np.linspace(-0.1, 0.1, 5)
    ).max() < (0.01)
    matrices = draws_of({"random_zoom": [-0.3, -0.1]}, shape)["matrices"] / unit
    assert np.array_equal(matrices[:, 0], matrices[:, 4])
    assert 0.7 <= matrices[:, 0].min() < 0.71
    assert 0.89 < matrices[:, 0].max() <= 0.9
    step = {"random_zoom": {"height_factor": 0.3, "width_factor": 0.3}}
    matrices = draws_of(step, shape)["matrices"]
    assert abs(np.corrcoef(matrices[:, 0], matrices[:, 4])[0, 1]) < 0.1


def test_resized_crop_like_pillow() -> None:
    """Every image is its window, resized."""
    images = pixels((40, 24, 31, 3))
    step = {"random_resized_crop": {"scale": [0.1, 0.9]}}
    rng = AugmentRng(np.random.default_rng(0), 0, 0, np.arange(40))
    (draws,) = draw_augmentations([Augmentation.model_validate(step)], rng, (40, 24, 31, 3))
    changed = apply(images, step)
    for image, result, window in zip(images, changed, draws["windows"], strict=True):
        top, bottom, left, right = window.tolist()
        crop = Image.fromarray(image[top : bottom + 1, left : right + 1])
        wanted = np.asarray(crop.resize((31, 24), Image.Resampling.BILINEAR), int)
        assert np.abs(result - wanted).max() <= 1  # Pillow rounds after each axis.


def test_resized_crop_follows_its_law() -> None:
    """The area is uniform, and so is the logarithm of the ratio, where all shapes fit."""
    step = {"random_resized_crop": {"scale": [0.1, 0.5], "ratio": [0.5, 2.0]}}
    top, bottom, left, right = draws_of(step, (4000, 200, 200, 3))["windows"].T
    heights, widths = bottom - top + 1, right - left + 1
    areas, ratios = heights * widths / 200**2, np.log2(widths / heights)
    quarters = [0, 0.25, 0.5, 0.75, 1]
    assert np.abs(np.quantile(areas, quarters) - np.linspace(0.1, 0.5, 5)).max() < 0.02
    assert np.abs(np.quantile(ratios, quarters) - np.linspace(-1, 1, 5)).max() < 0.07
    assert min(top.min(), left.min()) == 0
    assert max(bottom.max(), right.max()) == 199
    centres = (top + bottom) / 2
    assert abs(centres.mean() - 99.5) < 3


def test_resized_crop_that_never_fits_is_the_largest_in_the_middle() -> None:
    step = {"random_resized_crop": {"scale": [1.0, 1.0], "ratio": [0.75, 4 / 3]}}
    windows = draws_of(step, (5, 10, 40, 1))["windows"]
    assert (windows == [0, 9, 13, 25]).all()  # 10 by 13: four thirds.
    windows = draws_of(step, (5, 40, 10, 1))["windows"]
    assert (windows == [13, 25, 0, 9]).all()
